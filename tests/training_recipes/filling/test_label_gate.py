"""The label gate: what it rejects, what reads EF for it, and the tolerance that VAL gives."""

from dataclasses import replace

import numpy as np
import pytest
from fakes.fill import READER, SHAPE, Brightness, grey, line

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.phantom import load_masks
from echo_augment.cache import EchoAugmentError, EchoClip
from echo_augment.training_recipes.ef.teacher import Teacher
from echo_augment.training_recipes.filling.label_gate import LabelGate, read_masks, set_tolerance
from echo_augment.training_recipes.filling.readings import Readings, label_gate_figures


def test_the_label_gate_rejects_what_is_further_off_than_the_tolerance(tmp_path):
    gate = LabelGate(Teacher(Brightness(), READER), reader="teacher", tolerance=10.0, readings=Readings(tmp_path))
    clips = [grey("near", 59), grey("far", 61), grey("low", 39), grey("none", 50, ef=float("nan"))]
    reasons = gate.judge([line(clip.clip_id) for clip in clips], clips)
    assert reasons[0] is None
    assert reasons[1] == "label: teacher read 61.0, the label is 50.0, tolerance 10.0"
    assert [str(reason).split(":")[0] for reason in reasons[2:]] == ["label", "label"]
    columns = gate.readings.columns()
    assert columns["read_ef"] == {"near": 59.0, "far": 61.0, "low": 39.0, "none": 50.0}
    assert "none" not in columns["label_ef"]
    figures = label_gate_figures(columns, {"far": "label: x", "low": "label: y"})
    assert figures["all"] == {"n": 3, "mae": pytest.approx(31 / 3), "bias": pytest.approx(3), "label_ef": 50}
    assert figures["passed"] == {"n": 1, "mae": 9, "bias": 9, "label_ef": 50}
    assert label_gate_figures({}, {})["passed"] == {"n": 0, "mae": None, "bias": None, "label_ef": None}


def test_a_teacher_that_reads_nan_passes_nothing(tmp_path):
    gate = LabelGate(lambda clips: np.full(len(clips), np.nan), reader="x", tolerance=99, readings=Readings(tmp_path))
    assert gate.judge([line("a")], [grey("a", 50)])[0].startswith("label")


def test_masks_give_the_ef_of_the_phantom(root):
    rows = read_table(root).split("TRAIN")[:4]
    clips = [
        EchoClip(row.name, np.zeros((40, 112, 112), np.uint8), 50.0, ef=row.ef, masks=load_masks(root, row.name))
        for row in rows
    ]
    np.testing.assert_allclose(read_masks(clips), [row.ef for row in rows], atol=8)
    with pytest.raises(EchoAugmentError, match=r"'bare' has no masks.*teacher"):
        read_masks([grey("bare", 1)])


def test_the_tolerance_is_the_quantile_of_the_errors_on_val(root):
    rows = read_table(root).split("VAL")
    shown = {row.name: row.ef + 3.0 * (place + 1) for place, row in enumerate(rows)}
    seen = []

    def read(clips):
        seen.extend(clip.frames.shape for clip in clips)
        return np.array([shown[clip.clip_id] for clip in clips])

    found = set_tolerance(read, rows, SHAPE, quantile=1.0)
    assert found["tolerance"] == pytest.approx(9) and found["val_hearts"] == 3 and found["mae"] == pytest.approx(6)
    assert found["bias"] == pytest.approx(6) and set(seen) == {(8, 112, 112)}
    assert set_tolerance(read, rows, SHAPE, quantile=0.5)["tolerance"] == pytest.approx(6)
    for none in ([], [replace(row, ef=float("nan")) for row in rows]):
        with pytest.raises(EchoAugmentError, match=r"gates\.label\.tolerance=NUMBER"):
            set_tolerance(read, none, SHAPE, quantile=0.9)
