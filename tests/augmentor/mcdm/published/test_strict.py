"""A network loads whole or not at all."""

import pytest
import torch
from diffusers import UNetSpatioTemporalConditionModel
from diffusers.utils import logging
from fakes.published import change, write_layout

from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.augmentor.mcdm.published.strict import load_whole, quietly, refuse_misfits
from echo_augment.cache import EchoAugmentError

SMALL = {"channels": (32, 32), "attention": (True, False), "heads": (2, 2), "layers": 1}


@pytest.fixture
def saved(tmp_path):
    with torch.random.fork_rng([]):
        denoiser = MotionDenoiser(**SMALL, code_size=8, cross_attention_dim=8)
    denoiser.save_pretrained(tmp_path)
    return denoiser, tmp_path


def test_our_own_come_back(saved):
    denoiser, folder = saved
    again = MotionDenoiser.from_pretrained(folder)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in denoiser.state_dict().items())
    half = MotionDenoiser.from_pretrained(folder, torch_dtype=torch.float16)
    assert half.dtype == torch.float16


def test_loading_is_quiet_and_leaves_diffusers_as_it_was(saved, caplog, capfd, recwarn):
    before = logging.get_verbosity()
    with quietly():
        MotionDenoiser.from_pretrained(saved[1], torch_dtype=torch.float32)
        logging.get_logger("diffusers").warning("a note")
        for _ in logging.tqdm(range(2)):
            pass
    assert logging.get_verbosity() == before and logging.is_progress_bar_enabled()
    assert not any("torch_dtype" in str(one.message) for one in recwarn) and capfd.readouterr().err == ""
    assert not caplog.records
    logging.get_logger("diffusers").warning("a note")
    assert [one.message for one in caplog.records] == ["a note"]


def test_a_published_unet_is_no_denoiser_of_ours(tmp_path):
    """diffusers alone gives a network of random weights, and a warning."""
    root = write_layout(tmp_path)
    with pytest.raises(EchoAugmentError, match=r"lvdm: the weight null is missing .*echo-augment import-weights"):
        MotionDenoiser.from_pretrained(str(root / "lvdm"))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"drop": "unet.conv_in.weight"}, r"the weight unet\.conv_in\.weight is missing \(1 missing, 0 extra"),
        ({"add": "other"}, r"no network of this kind has the weight other \(0 missing, 1 extra"),
    ],
)
def test_the_first_wrong_weight_is_named(saved, made, message):
    change(saved[1], **made)
    with pytest.raises(EchoAugmentError, match=message):
        MotionDenoiser.from_pretrained(saved[1])


def test_another_shape_is_named(saved):
    saved[0].register_to_config(cross_attention_dim=16)
    saved[0].save_config(saved[1])
    with pytest.raises(EchoAugmentError, match=r"the weight \S+ is \(\S+ 8\), not \(\S+ 16\)|is missing"):
        MotionDenoiser.from_pretrained(saved[1])


def test_networks_of_diffusers_load_whole(tmp_path):
    folder = write_layout(tmp_path) / "lvdm"
    assert load_whole(UNetSpatioTemporalConditionModel, str(folder)).config["num_frames"] == 4
    change(folder, drop="conv_out.bias")
    with pytest.raises(EchoAugmentError, match=r"lvdm: the weight conv_out\.bias is missing .*Do this"):
        load_whole(UNetSpatioTemporalConditionModel, str(folder), remedy="Do this")


def test_missing_go_before_extra_in_the_networks_order():
    with pytest.raises(EchoAugmentError, match="the weight b is missing"):
        refuse_misfits("x", ["b", "a"], ["a", "b"], ["c"])
    refuse_misfits("x", ["b", "a"], [], [])
