"""Figures of a folder's clips: all of them where a clip allows it, and a word where it does not."""

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.common.phantom_likeness import (
    FolderClip,
    folder_figures,
    motion_figures,
    read_clips,
    resized,
)


def codec(frames: np.ndarray) -> np.ndarray:
    return frames[:, ::8, ::8].astype(np.float32)


@pytest.fixture(scope="module")
def clip() -> FolderClip:
    heart = sample_phantom(4)
    made = render(heart.motion, heart.appearance, num_frames=60)
    return FolderClip(made.frames, made.fps, {made.ed_frame: made.tracing(made.ed_frame)})


def test_a_clip_has_every_figure(clip: FolderClip):
    found = motion_figures("one", clip, codec)
    assert {"warp_latent", "warp_image", "still_psnr", "components_1", "components_16"} <= set(found)
    assert {"speckle_lag_2", "speckle_carried_16", "flow_on_walls", "flow_off_walls"} <= set(found)
    assert 0 < found["warp_latent"] < 1 and 10 < found["still_psnr"] < 30


def test_other_frame_rates_are_brought_to_50(clip: FolderClip):
    slow = FolderClip(clip.frames[::2], 25.0, {})
    found = motion_figures("slow", slow, codec)
    assert found["speckle_lag_16"] == pytest.approx(motion_figures("one", clip, codec)["speckle_lag_16"], abs=0.1)
    assert "flow_on_walls" not in found, "nothing is traced"


def test_short_clips_are_told(clip: FolderClip, capsys: pytest.CaptureFixture[str]):
    short = FolderClip(clip.frames[:12], 50.0, {})
    found = folder_figures({"short": short}, codec, "clips")
    assert "mean" in found["short"] and "warp_latent" not in found["short"]
    assert "no figures of motion: video 'short': 12 frames at 50 fps are too few" in capsys.readouterr().out


def test_sizes_and_empty_folders(clip: FolderClip, tmp_path):
    assert resized(np.zeros((2, 224, 224), np.uint8)).shape == (2, 112, 112)
    with pytest.raises(EchoAugmentError, match=r"has no Videos/\*\.avi"):
        read_clips(tmp_path)
