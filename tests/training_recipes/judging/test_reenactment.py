"""Re-enactment of two phantoms by the bundled generator: rows, their order, and what each must be."""

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.mcdm import MCDMPipeline, make_heart
from echo_augment.training_recipes.judging.excerpts import take_excerpt
from echo_augment.training_recipes.judging.reenactment import PER_VIDEO, reenact


def excerpt_of(pipeline, seed):
    phantom = sample_phantom(seed)
    clip = render(phantom.motion, phantom.appearance, seed=seed)
    return take_excerpt(pipeline, make_heart(phantom.name, clip.frames, clip.fps, rate=12.5, size=112))


def means(clips):
    return clips.mean((1, 3)).astype(np.float64)


@pytest.fixture(scope="module")
def pipeline():
    found = MCDMPipeline.load("bundled")
    found.set_progress_bar_config(disable=True)
    return found


@pytest.fixture(scope="module")
def excerpts(pipeline):
    return [excerpt_of(pipeline, seed) for seed in (5, 6)]


@pytest.fixture(scope="module")
def found(pipeline, excerpts):
    return reenact(pipeline, excerpts, [1, 0], means, seed=3)


def test_every_row_has_a_number_a_video(found):
    assert list(found.rows) == ["still", "warp", "codec", "steps-0", "steps-1"]
    assert all(getattr(row, name).shape == (2,) for row in found.rows.values() for name in PER_VIDEO)
    assert list(found.by_steps) == [0, 1] and found.by_steps[1].seconds > 0 and found.rows["warp"].seconds is None
    assert found.clips["video"].shape == found.clips["steps-1"].shape == (2, 16, 112, 112)


def test_a_still_frame_explains_nothing_and_the_generator_and_the_warp_most_of_a_phantom(found):
    rows = {name: row.means() for name, row in found.rows.items()}
    assert rows["still"]["explained"] == pytest.approx(0, abs=1e-6) and rows["still"]["cycle"] == pytest.approx(
        1, abs=0.05
    )
    assert rows["codec"]["explained"] > rows["warp"]["explained"] > 0.5 and rows["steps-0"]["explained"] > 0.5
    assert rows["steps-0"]["psnr"] > rows["still"]["psnr"] and rows["codec"]["sharpness"] < 0.8
    assert rows["still"]["frechet"] > rows["codec"]["frechet"] >= 0


def test_the_same_seed_makes_the_same_clips_and_a_single_video_has_no_distance(pipeline, excerpts, found):
    again = reenact(pipeline, excerpts[:1], [1], means, seed=3)
    apart = np.abs(again.clips["steps-1"][0].astype(int) - found.clips["steps-1"][0])
    assert apart.mean() < 0.1  # another batch size rounds otherwise
    assert again.rows["codec"].frechet is None
