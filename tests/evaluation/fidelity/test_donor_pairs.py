"""Figures of pairs of two videos on clips whose answer is known."""

import numpy as np
import pytest
import torch

from echo_augment.evaluation.fidelity import donor_pairs
from echo_augment.evaluation.fidelity.donor_pairs import VideoPairs, mask_agreement, pair_figures
from echo_augment.training_recipes.judging.excerpts import Excerpt

COUNT, LENGTH, FPS = 3, 20, 12.5


class Pipeline:
    config = {"rate": FPS}  # noqa: RUF012


class Video:
    def __init__(self, ef):
        self.ef = ef


@pytest.fixture
def excerpts():
    wave = np.sin(2 * np.pi * 1.25 * np.arange(40) / FPS)
    return [
        Excerpt(
            name=str(i),
            clip=np.full((LENGTH, 4, 4), 10 * i, np.uint8),
            reference=np.zeros((4, 4), np.uint8),
            codes=torch.full((LENGTH, 2), 1.0 + i),
            rest=torch.zeros(2),
            volume=wave,
            start=2,
        )
        for i in range(COUNT)
    ]


@pytest.fixture
def pairs(excerpts):
    own = np.stack([one.clip for one in excerpts])
    return VideoPairs(donor=np.array([1, 2, 0]), motion=own[[1, 2, 0]], appearance=own, clips=own)


def test_figures_of_pairs_are_taken_against_the_right_donor(pairs, excerpts, monkeypatch):
    monkeypatch.setattr(donor_pairs, "read_back", lambda _p, clip, _r: torch.full((LENGTH, 2), 1 + clip[0, 0, 0] / 10))
    monkeypatch.setattr(donor_pairs, "tempo", lambda clip, donor, fps: 1.1)
    vectors = np.eye(COUNT)
    monkeypatch.setattr(donor_pairs, "appearances_of", lambda _p, clips: vectors[[c[0, 0, 0] // 10 for c in clips]])
    teacher = lambda clips: np.array([float(clip.frames[0, 0, 0]) for clip in clips])  # noqa: E731
    found = pair_figures(Pipeline(), pairs, excerpts, [Video(0.0), Video(10.0), Video(np.nan)], teacher, 0)
    # clip i shows code 1 + i where its donor has 2, 3, 1: errors (1/2)^2, (1/3)^2, (2/1)^2
    assert found.cycle.mean == pytest.approx((1 / 4 + 1 / 9 + 4) / 3)
    assert (found.reid_own.mean, found.reid_others.mean, found.reid_nearest) == (1, 0, 1)
    assert found.heart_rate.mae == pytest.approx(7.5, abs=0.8)  # a tenth of 75 a minute
    assert found.ef_gap.mean == pytest.approx((10 + 10 + 20) / 3)
    assert found.ef_error.mean == pytest.approx((10 + 20) / 2)  # donors 1 and 0; donor 2 has no label


def test_a_clip_that_beats_as_its_donor_has_its_tempo(excerpts, monkeypatch):
    one = excerpts[0]
    monkeypatch.setattr("echo_augment.evaluation.fidelity.beats.volume_curve", lambda clip, fps: one.volume[2:22])
    assert donor_pairs.tempo(one.clip, one, FPS) == pytest.approx(1)


def test_masks_are_held_against_those_on_the_videos_themselves():
    video = np.zeros((1, 2, 8, 8), np.uint8)
    video[..., :4, :4] = 200
    half = np.zeros_like(video)
    half[..., :4, :2] = 200
    found = mask_agreement({"video": video, "same": video, "half": half}, lambda clip: clip > 100, 0)
    assert found["same"].mean == 1 and found["half"].mean == pytest.approx(2 / 3) and "video" not in found
