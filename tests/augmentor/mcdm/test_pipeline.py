"""Denoiser and pipeline: the reference's size, conditioning that arrives, seeds that decide, folders that load."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from diffusers.pipelines import pipeline_utils
from safetensors.torch import load_file, save_file

from echo_augment.augmentor.mcdm.codec import build_codec, decode, encode, to_gray, to_unit
from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.augmentor.mcdm.pipeline import BUNDLED, MCDMPipeline
from echo_augment.cache import EchoAugmentError


def seeds(*values):
    return [torch.Generator().manual_seed(value) for value in values]


def test_default_unet_has_the_references_size():
    with torch.device("meta"):
        denoiser = MotionDenoiser()
    assert sum(parameter.numel() for parameter in denoiser.unet.parameters()) == 189_428_394


def test_each_frame_hears_its_own_code(untrained):
    denoiser = untrained.denoiser
    latents, reference = torch.zeros(1, 16, 4, 14, 14), torch.zeros(1, 4, 14, 14)
    codes = torch.zeros(1, 16, 50)
    other = codes.clone()
    other[0, 5] = 3.0
    seen = []
    hook = (
        denoiser.unet.down_blocks[0]
        .resnets[0]
        .spatial_res_block.register_forward_pre_hook(lambda _, args: seen.append(args[1].detach()))
    )
    with torch.no_grad():
        for motion in (codes, other):
            v = denoiser(latents, torch.tensor([500]), reference, motion)
    hook.remove()
    changed = (seen[0] != seen[1]).any(1)
    assert v.shape == latents.shape and changed.nonzero()[:, 0].tolist() == [5]


def test_dropped_motion_is_not_seen(untrained):
    latents, reference = torch.randn(2, 16, 4, 14, 14), torch.randn(2, 4, 14, 14)
    drop = torch.ones(2, dtype=torch.bool)
    with torch.no_grad():
        one, two = (
            untrained.denoiser(latents, torch.tensor([500, 500]), reference, torch.randn(2, 16, 50), drop)
            for _ in range(2)
        )
    torch.testing.assert_close(one, two)


def test_vector_form_gives_one_code_a_clip():
    denoiser = MotionDenoiser((32, 32), (False, True), (2, 2), 1, motion="vector", code_size=12, cross_attention_dim=12)
    with torch.no_grad():
        v = denoiser(
            torch.randn(2, 4, 4, 14, 14), torch.tensor([3, 4]), torch.randn(2, 4, 14, 14), torch.randn(2, 1, 12)
        )
    assert v.shape == (2, 4, 4, 14, 14)
    with pytest.raises(ValueError, match="motion must be one of frame, vector, got 'both'"):
        MotionDenoiser(motion="both")


def test_gray_levels_survive_the_units():
    frames = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    assert torch.equal(to_gray(to_unit(frames)), frames)


def test_codec_shrinks_by_eight():
    codec = build_codec((8, 8, 16, 16), groups=4)
    latents = encode(codec, torch.randint(0, 255, (3, 112, 112), dtype=torch.uint8))
    assert latents.shape == (3, 4, 14, 14) and decode(codec, latents).shape == (3, 112, 112)


def test_a_clip_is_decided_by_its_own_seed(untrained, hearts):
    references = torch.from_numpy(np.stack([heart.reference for heart in hearts]))
    motion = torch.stack([untrained.encode_motion(heart)[:16] for heart in hearts])
    settings = {"num_inference_steps": 2}
    three = untrained(references, motion, generator=seeds(1, 2, 3), **settings).clips
    again = untrained(references, motion, generator=seeds(1, 2, 3), **settings).clips
    turned = untrained(references[[2, 1, 0]], motion[[2, 1, 0]], generator=seeds(3, 2, 1), **settings).clips
    other = untrained(references, motion, generator=seeds(4, 2, 3), **settings).clips
    assert three.shape == (3, 16, 112, 112) and three.dtype == torch.uint8
    assert torch.equal(three, again) and torch.equal(three, turned.flip(0))
    assert not torch.equal(three[0], other[0])
    before = torch.get_rng_state()
    untrained(references[:1], motion[:1], generator=seeds(1), sampler="dpm", **settings)
    assert torch.equal(before, torch.get_rng_state())


def test_wrong_shapes_are_named(untrained):
    good = torch.zeros(1, 112, 112, dtype=torch.uint8), torch.zeros(1, 16, 50)
    with pytest.raises(EchoAugmentError, match=r"\(B, 112, 112\) uint8, got \(1, 64, 64\)"):
        untrained(good[0][:, :64, :64], good[1])
    with pytest.raises(EchoAugmentError, match=r"motion must be \(B, 16, D\)"):
        untrained(good[0], good[1][:, :8])
    with pytest.raises(EchoAugmentError, match="num_inference_steps must be at least 1, got 0"):
        untrained(*good, num_inference_steps=0)
    with pytest.raises(EchoAugmentError, match="sampler must be one of ddim, ddpm, dpm, got 'euler'"):
        untrained(*good, sampler="euler")


def test_saved_and_loaded_makes_the_same_clip(untrained, hearts, tmp_path):
    untrained.save_pretrained(str(tmp_path / "g"), safe_serialization=True)
    loaded = MCDMPipeline.load(str(tmp_path / "g"))
    loaded.set_progress_bar_config(disable=True)
    reference = torch.from_numpy(hearts[0].reference.copy())[None]
    clips = [
        pipe(
            reference, pipe.encode_motion(hearts[1])[None, :16], num_inference_steps=2, generator=seeds(7), detail=False
        ).clips
        for pipe in (untrained, loaded)
    ]
    # Loaded weights lie elsewhere in memory, where a kernel may round its sums in another order. Detail is left out: an
    # untrained net draws noise, and the flow of noise makes a large difference of a gray level.
    assert loaded.config["detail"] == untrained.config["detail"]
    assert (clips[0].int() - clips[1].int()).abs().max() <= 1
    assert not list((tmp_path / "g").rglob("*.bin")) and not list((tmp_path / "g").rglob("*.p*kl*"))


@pytest.mark.parametrize("load", [MCDMPipeline.load, MCDMPipeline.from_pretrained])
def test_a_folder_without_a_generator_says_what_to_name(tmp_path, load):
    with pytest.raises(EchoAugmentError, match=r"no model_index\.json.*train-generator"):
        load(str(tmp_path))
    for name in (str(tmp_path / "mistyped"), "mistyped", "runs/x/mistyped"):
        with pytest.raises(EchoAugmentError, match=r"mistyped: there is no such folder.*train-generator"):
            load(name)
    (tmp_path / "file").write_text("x")
    for index in ("[", "[]", "{}", '{"_class_name": "MCDMPipeline", "vae": ["diffusers", "AutoencoderKL"]}'):
        (tmp_path / "model_index.json").write_text(index)
        for name in (str(tmp_path), str(tmp_path / "file")):
            with pytest.raises(EchoAugmentError, match="cannot be loaded") as caught:
                load(name)
            assert len(str(caught.value).splitlines()) == 1


def test_a_hub_that_does_not_answer_is_one_error(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EchoAugmentError, match=r"generator nobody/nothing: cannot be loaded .*train-generator"):
        MCDMPipeline.from_pretrained("nobody/nothing", local_files_only=True)


def test_bundled_weights_load_and_carry_their_card():
    pipeline = MCDMPipeline.load("bundled")
    assert pipeline.config["preset"] == "tiny" and pipeline.config["frames"] == 16
    card = (BUNDLED / "README.md").read_text(encoding="utf-8")
    assert "echo-augment train-generator preset=tiny data=phantom" in card and "phantoms only" in card
    size = sum(path.stat().st_size for path in BUNDLED.rglob("*") if path.is_file())
    assert size <= 20e6
    hashes = json.loads((BUNDLED / "training_hearts.json").read_text(encoding="utf-8"))
    assert len(hashes["content"]) == len(hashes["first"]) > 0


def test_offloading_in_parts_is_refused_with_what_to_do(untrained):
    for offload in (untrained.enable_model_cpu_offload, untrained.enable_sequential_cpu_offload):
        with pytest.raises(
            EchoAugmentError, match=r"cannot be offloaded .*pipeline.to\('cuda', torch.float16\) takes \d+ MB"
        ):
            offload(device="cuda")


@pytest.mark.parametrize("part", ["vae", "reid", "transport", "denoiser", "mafe"])
@pytest.mark.parametrize("fault", ["missing", "renamed", "misshapen"])
def test_no_network_is_loaded_with_weights_drawn_at_random(tmp_path, part, fault):
    """diffusers would draw what is missing, with a line in its log."""
    folder = tmp_path / "mine"
    shutil.copytree(BUNDLED, folder)
    file = folder / part / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    name = sorted(weights)[0]
    taken = weights.pop(name)
    if fault == "renamed":
        weights[f"{name}_x"] = taken
    elif fault == "misshapen":
        weights[name] = torch.zeros(*taken.shape, 2)
    save_file(weights, file, metadata={"format": "pt"})
    for load in (MCDMPipeline.load, MCDMPipeline.from_pretrained):
        with pytest.raises(EchoAugmentError, match=re.escape(name)):
            load(str(folder))


@pytest.mark.parametrize("option", ["dtype", "torch_dtype"])
def test_every_network_is_read_in_the_number_format_that_is_asked_for(option):
    if option == "dtype" and not hasattr(pipeline_utils, "_resolve_dtype"):
        pytest.skip("an older diffusers, which knows torch_dtype only")
    half = MCDMPipeline.from_pretrained("bundled", **{option: torch.float16})
    networks = ("vae", "reid", "transport", "denoiser", "mafe")
    assert {getattr(half, name).dtype for name in networks} == {torch.float16}
    for wanted in ({"vae": torch.float16}, {"default": torch.float16}):
        some = MCDMPipeline.from_pretrained("bundled", **{option: {"default": torch.float32, **wanted}})
        assert some.vae.dtype == torch.float16
        assert some.denoiser.dtype == wanted.get("default", torch.float32)
    assert MCDMPipeline.load("bundled", **{option: torch.float16}).vae.dtype == torch.float16
    assert MCDMPipeline.load("bundled").vae.dtype == torch.float32


def test_a_variant_of_the_weights_is_read_where_it_is_asked_for(untrained, tmp_path):
    untrained.save_pretrained(str(tmp_path), variant="other")
    with pytest.raises(EchoAugmentError, match="cannot be loaded"):
        MCDMPipeline.from_pretrained(tmp_path)
    found = MCDMPipeline.from_pretrained(tmp_path, variant="other").vae.state_dict()
    assert all(torch.equal(found[name], value) for name, value in untrained.vae.state_dict().items())
