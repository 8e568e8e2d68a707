"""The label gate of imported clips: a teacher reads them, its tolerance is given or set on real VAL videos."""

import json

import numpy as np
import pytest
from fakes.fill import READER, Brightness

from echo_augment.augmentor.data import write_video
from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.cache.rejections import read_reasons
from echo_augment.training_recipes.ef.teacher import Teacher
from echo_augment.training_recipes.filling import peer_gates as module
from echo_augment.training_recipes.filling.peers import import_peer_clips
from echo_augment.training_recipes.filling.settings import LabelGateSettings


def write(root, rows, frames=20):
    """Videos whose mean grey level is ``shown``, whatever their EF; rows are name, EF, shown, split, frames."""
    lines = ["FileName,EF,Split"]
    for number, (name, ef, shown, split, *count) in enumerate(rows):
        ripple = np.random.default_rng(number).integers(-15, 16, (*(count or [frames]), 16, 16))
        write_video(root / "Videos" / f"{name}.avi", (shown + ripple).astype(np.uint8), 50.0)
        lines.append(f"{name},{ef},{split}")
    (root / "FileList.csv").write_text("\n".join(lines))
    return root


@pytest.fixture
def peers(tmp_path):
    rows = [("near", 50, 54, "TRAIN"), ("far", 50, 80, "TRAIN"), ("brief", 50, 50, "TRAIN", 5), ("x", 50, 50, "TEST")]
    return write(tmp_path / "peers", rows)


@pytest.fixture
def loaded(monkeypatch):
    """The teacher reads grey levels; what it was asked to be kept from is recorded."""
    held_out = []

    def load(folder, *, device, held_out: list):
        asked.append([row.name for row in held_out])
        return Teacher(Brightness(), READER, device=device, fingerprint=f"teacher of {folder}")

    asked = held_out
    monkeypatch.setattr(module.Teacher, "load", load)
    return asked


def test_clips_that_do_not_show_their_label_are_left_out(peers, tmp_path, loaded):
    gate = LabelGateSettings(teacher="t", tolerance=10)
    done = import_peer_clips(peers, tmp_path / "cache", origin="X", label_gate=gate, progress=False)
    assert list(ClipStore(tmp_path / "cache").ids) == ["near"] and loaded == [[]]
    reasons = read_reasons(tmp_path / "cache")
    assert "label: teacher read 80" in reasons["far"] and reasons["brief"] == "short: 0.10 s, the teacher reads 0.16 s"
    figures = done.to_json()["gates"]
    assert figures["limits"]["label"] == {"tolerance": 10.0} and figures["label"]["all"]["n"] == 2
    assert figures["label"]["passed"]["n"] == 1 and figures["label"]["passed"]["mae"] == pytest.approx(4, abs=1.5)
    kept = json.loads((tmp_path / "cache" / "gates.json").read_text())
    assert kept["gates"]["label"]["teacher"] == "teacher of t"
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        import_peer_clips(peers, tmp_path / "cache", origin="X", progress=False)
    again = import_peer_clips(peers, tmp_path / "cache", origin="X", label_gate=gate, progress=False)
    assert again.summary.made == 0 and again.summary.sealed == 1


def test_the_tolerance_is_set_on_real_val_videos(peers, tmp_path, loaded):
    real = write(
        tmp_path / "real", [("T", 40, 40, "TRAIN"), ("V", 60, 63, "VAL"), ("W", 30, 28, "VAL"), ("S", 9, 99, "TEST")]
    )
    gate = LabelGateSettings(teacher="t", quantile=1.0)
    done = import_peer_clips(peers, tmp_path / "cache", origin="X", against=real, label_gate=gate, progress=False)
    limit = done.to_json()["gates"]["limits"]["label"]
    assert limit["val_hearts"] == 2 and limit["tolerance"] == pytest.approx(3, abs=1.5)
    assert loaded == [["V", "W", "S"]], "none of them may have trained it"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": "masks", "tolerance": 5}, "imported clips have no masks"),
        ({"teacher": "t"}, "no tolerance, and no real VAL videos"),
    ],
)
def test_what_cannot_be_judged_is_refused(peers, tmp_path, loaded, settings, message):
    gate = LabelGateSettings(**settings)
    with pytest.raises(EchoAugmentError, match=message):
        import_peer_clips(peers, tmp_path / "cache", origin="X", label_gate=gate, progress=False)
