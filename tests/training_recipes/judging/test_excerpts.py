"""Excerpts of videos, and motion codes that are read back from clips."""

import numpy as np
import pytest
import torch

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.mcdm import MCDMPipeline, make_heart
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.judging.excerpts import cycle_error, read_back, take_excerpt


@pytest.fixture(scope="module")
def pipeline():
    return MCDMPipeline.load("bundled")


@pytest.fixture(scope="module")
def heart():
    phantom = sample_phantom(5)
    clip = render(phantom.motion, phantom.appearance, seed=5)
    return make_heart(phantom.name, clip.frames, clip.fps, rate=12.5, size=112)


def test_an_excerpt_is_the_middle_of_the_video_and_its_codes_are_those_frames(pipeline, heart):
    found = take_excerpt(pipeline, heart)
    codes = pipeline.encode_motion(heart)
    first = (len(heart.grid) - 16) // 2
    assert np.array_equal(found.clip, heart.frames[heart.grid[first : first + 16]])
    assert torch.allclose(found.codes, codes[first : first + 16])
    assert torch.allclose(found.rest, codes[heart.ed // 2])
    assert (
        found.start == first
        and found.volume.shape == heart.grid.shape
        and np.array_equal(found.reference, heart.frames[heart.ed])
    )


def test_the_code_of_the_true_clip_comes_back_and_that_of_a_still_one_does_not(pipeline, heart):
    one = take_excerpt(pipeline, heart)
    true = read_back(pipeline, one.clip, one.reference)
    still = read_back(pipeline, np.repeat(one.reference[None], 16, axis=0), one.reference)
    assert true.shape == one.codes.shape
    assert cycle_error(true, one.codes, one.rest) == pytest.approx(0, abs=1e-9)
    assert cycle_error(still, one.codes, one.rest) == pytest.approx(1, abs=0.01)


def test_cycle_error_is_a_share_of_the_motion():
    given, rest = torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.zeros(2)
    assert cycle_error(given / 2, given, rest) == pytest.approx(0.25)


def test_a_video_shorter_than_a_clip_is_refused_by_name(pipeline, heart):
    short = make_heart("short", heart.frames[:20], 25.0, rate=12.5, size=112)
    with pytest.raises(EchoAugmentError, match=r"'short': 10 frames at 12.5 a second are shorter than a clip's 16"):
        take_excerpt(pipeline, short)


def test_a_vector_is_read_back_from_the_clips_own_smallest_frame(pipeline, heart, monkeypatch):
    one = take_excerpt(pipeline, heart)
    seen = []
    monkeypatch.setattr(MCDMPipeline, "encode_motion", lambda self, given: seen.append(given) or torch.ones(1, 3))
    monkeypatch.setattr(MCDMPipeline, "config", dict(pipeline.config) | {"code": "vector"}, raising=False)
    assert read_back(pipeline, one.clip, one.reference).shape == (1, 3)
    assert seen[0].ed == 0 and 2 <= seen[0].es < len(seen[0].frames) and seen[0].es % 2 == 0
    assert take_excerpt(pipeline, heart).rest.tolist() == [0, 0, 0]
