"""The privacy gate: whom a clip may look like, and the threshold that VAL gives."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.fill import SHAPE, grey, line

from echo_augment.augmentor.data import VideoInfo, read_table, write_video
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.dataset import middle_clips
from echo_augment.training_recipes.filling.privacy_gate import Appearances, PrivacyGate, embedder, set_threshold
from echo_augment.training_recipes.filling.readings import Readings, privacy_figures


def appearances(**vectors) -> Appearances:
    array = np.array(list(vectors.values()), np.float64)
    return Appearances(tuple(vectors), array / np.linalg.norm(array, axis=1, keepdims=True))


TRAIN = appearances(A=(1, 0, 0), B=(0, 1, 0), C=(0, 0, 1), D=(1, 1, 0))


def privacy(folder: Path, vector, against: str = "others", threshold: float = 0.9, pair: float = 0.8) -> PrivacyGate:
    unit = np.array(vector, np.float64) / np.linalg.norm(vector)
    options = {"against": against, "threshold": threshold, "pair_threshold": pair, "readings": Readings(folder)}
    return PrivacyGate(lambda clips: np.stack([unit] * len(clips)), TRAIN, **options)


@pytest.mark.parametrize(
    ("vector", "against", "reason"),
    [
        ((0, 1, 0.1), "others", None),  # its appearance donor B, as it should be
        ((0, 1, 0.1), "all", "privacy: like appearance donor B, similarity 0.995 over 0.900"),
        ((0, 0.1, 1), "others", "privacy: like TRAIN video C, similarity 0.995 over 0.900"),
        ((1, 0.1, 0), "others", "privacy: like motion donor A, similarity 0.995 over 0.900"),
        ((0.85, 0.3, 0.5), "others", "privacy: like motion donor A, similarity 0.825 over 0.800"),
        ((0.6, 0.6, 0.7), "all", None),
    ],
)
def test_a_clip_must_look_like_its_appearance_donor_alone(tmp_path, vector, against, reason):
    assert privacy(tmp_path, vector, against).judge([line("a")], [grey("a", 1)]) == [reason]


def test_similarities_are_kept_and_summed_up(tmp_path):
    gate = privacy(tmp_path, (0, 1, 0.1))
    gate.judge([line("a"), line("b", motion="B"), line("c", appearance="elsewhere")], [grey(name, 1) for name in "abc"])
    columns = gate.readings.columns()
    assert columns["appearance"] == {"a": pytest.approx(0.995, abs=1e-3), "b": pytest.approx(0.995, abs=1e-3)}
    assert set(columns["motion"]) == {"a", "c"}, "a video paired with itself has no motion donor to be told from"
    assert columns["nearest_other"]["c"] == pytest.approx(0.995, abs=1e-3)
    figures = privacy_figures(columns)
    assert figures["recognised"] == 1.0 and figures["to_nearest_other"]["n"] == 3


def test_the_threshold_is_what_val_videos_show():
    val = appearances(V=(1, 1, 0.2), W=(0, 0.6, 0.8))
    nearest = [(2 / np.sqrt(2)) / np.sqrt(2.04), 0.8]
    found = set_threshold(TRAIN, val, 1.0)
    assert found["threshold"] == pytest.approx(max(nearest)) and found["val_hearts"] == 2
    assert found["val_to_nearest_train"]["mean"] == pytest.approx(np.mean(nearest))
    half = set_threshold(TRAIN, val, 0.5)
    assert half["threshold"] == pytest.approx(np.median(nearest))
    assert half["pair_threshold"] == pytest.approx(np.median(val.vectors @ TRAIN.vectors.T))
    assert half["pair_threshold"] < half["threshold"]
    for train, judges in ((TRAIN, Appearances((), np.array([]))), (Appearances((), np.array([])), val)):
        with pytest.raises(EchoAugmentError, match=r"gates\.privacy\.threshold=NUMBER"):
            set_threshold(train, judges, 0.99)


def test_appearances_are_of_all_videos_that_can_be_read(root, tmp_path):
    rows = read_table(root).split("VAL")
    (tmp_path / "broken.avi").write_bytes(b"RIFF")
    write_video(tmp_path / "short.avi", np.full((3, 112, 112), 40, np.uint8), 50.0)
    odd = [VideoInfo(name, tmp_path / f"{name}.avi") for name in ("broken", "short")]
    torch.manual_seed(0)
    embed = embedder(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(112 * 112, 5)), "cpu")
    found = Appearances.of([*rows, *odd], embed, SHAPE, what="videos")
    assert found.names == (*[row.name for row in rows], "short") and found.vectors.shape == (4, 5)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1)
    assert [row.name for row, _ in middle_clips(odd, SHAPE, what="x")] == [], "too short for a whole clip"
