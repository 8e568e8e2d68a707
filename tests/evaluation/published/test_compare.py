"""Clips, other real videos and a codec's round trip, against the same real videos."""

import numpy as np
import pytest
import torch
from fakes.metric_networks import write_networks
from fakes.peers import write_set

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.mcdm.codec import build_codec
from echo_augment.cache import EchoAugmentError, EchoClip
from echo_augment.evaluation.published.compare import compare, load_networks, real_clip
from echo_augment.evaluation.published.settings import MetricSettings


class Clips:
    """Noise of another gray level than the real videos."""

    ef = np.full(6, 50.0)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        return EchoClip(f"c{index}", rng.integers(150, 255, (20, 64, 64)).astype(np.uint8), 50.0, ef=50.0)


@pytest.fixture(scope="module")
def codec():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return build_codec((8, 8, 8, 8), 1).eval()


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    root = tmp_path_factory.mktemp("real")
    write_set(root, [(f"v{k}", 50, "VAL") for k in range(10)], frames=24, side=64)
    return read_table(root).split("VAL")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_networks(tmp_path_factory.mktemp("weights"))


def settings(weights, **changes):
    return MetricSettings(weights=str(weights), images=10, **changes)


def measured(clips, rows, codec, asked):
    return compare(clips, rows, codec, load_networks(asked), asked, seed=0)


def test_all_rows_are_measured_and_the_floor_is_below_what_differs(codec, rows, weights):
    found = measured(Clips(), rows, codec, settings(weights))
    assert list(found.rows) == ["real", "codec", "clips"] and found.real == 5
    real, made = found.rows["real"], found.rows["clips"]
    assert made.fvd16 > 2 * real.fvd16 and made.fid > 2 * real.fid and found.rows["codec"].fid > 2 * real.fid
    assert found.rows["codec"].lpips > 0 and real.lpips is None and made.lpips is None
    assert real.diversity > 0 and real.inception.mean >= 1 and real.fvd128 is None
    assert set(found.files) == {
        "i3d_torchscript.pt",
        "inception-2015-12-05.pt",
        "alexnet-owt-7be5be79.pth",
        "alex.pth",
    }
    assert (found.fps, found.size, found.images) == (50.0, 64, 2)
    again = measured(Clips(), rows, codec, settings(weights))
    assert again == found


def test_what_was_not_asked_for_is_not_there(codec, rows, weights):
    found = measured(Clips(), rows, codec, settings(weights, names=["fid"]))
    row = found.rows["codec"]
    assert row.fid is not None and row.fvd16 is None and row.inception is None and row.lpips is None
    assert set(found.files) == {"inception-2015-12-05.pt"}


def test_too_few_and_broken_videos(codec, rows, weights, tmp_path):
    with pytest.raises(EchoAugmentError, match="published metrics need 2 clips and 4 real videos, there are 6 and 3"):
        measured(Clips(), rows[:3], codec, settings(weights))
    root = write_set(tmp_path, [(f"v{k}", 50, "VAL") for k in range(4)], frames=24, side=64)
    broken = read_table(root).split("VAL")
    for row in broken[1:]:
        row.path.write_bytes(b"nothing")
    assert real_clip(broken[1]) is None and real_clip(broken[0]).fps == 50
    with pytest.raises(EchoAugmentError, match="videos can be read and have 16 frames"):
        measured(Clips(), broken, codec, settings(weights))
