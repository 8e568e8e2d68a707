"""The label gate of imported clips: a teacher reads them, its tolerance is given or set on real VAL videos."""

import json

import numpy as np
import pytest
from fakes.fill import READER, Brightness
from omegaconf import OmegaConf

from echo_augment.augmentor.data import write_video
from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.cache.rejections import read_reasons
from echo_augment.training_recipes.ef.teacher import Teacher
from echo_augment.training_recipes.filling import peer_gates as module
from echo_augment.training_recipes.filling.peers import import_peer_clips
from echo_augment.training_recipes.filling.settings import LabelGateSettings
from echo_augment.training_recipes.jobs import cache


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


def test_the_real_table_has_a_unit_of_its_own(peers, tmp_path, loaded):
    rows = [("T", 0.40, 40, "TRAIN"), ("V", 0.60, 63, "VAL"), ("W", 0.30, 28, "VAL")]
    real, gate = write(tmp_path / "real", rows), LabelGateSettings(teacher="t", quantile=1.0)
    told = find_files(real, ef_unit="fraction")
    done = import_peer_clips(peers, tmp_path / "cache", origin="X", against=told, label_gate=gate, progress=False)
    assert done.to_json()["gates"]["limits"]["label"]["tolerance"] == pytest.approx(3, abs=1.5)
    with pytest.raises(EchoAugmentError, match=r"ranges from 0\.3 to 0\.6, which is not EF in percent"):
        import_peer_clips(peers, tmp_path / "other", origin="X", against=real, label_gate=gate, progress=False)


@pytest.mark.parametrize(
    ("given", "unit"),
    [
        ({"data": {"ef_unit": "fraction"}}, "fraction"),
        ({"data": {"ef_unit": "percent"}, "against_ef_unit": "fraction"}, "fraction"),
        ({}, None),
    ],
)
def test_the_job_hands_the_unit_on(peers, tmp_path, monkeypatch, given, unit):
    asked = []
    monkeypatch.setattr(cache, "import_peer_clips", lambda *_, against, **more: asked.append(against) or 1 / 0)
    settings = {"data": {"root": str(peers)} | given.pop("data", {}), **given}
    settings |= {"action": "import", "cache": str(tmp_path / "c"), "provenance": "X", "against": str(peers)}
    with pytest.raises(ZeroDivisionError):
        cache.run(OmegaConf.create({"out": str(tmp_path / "o"), **settings}))
    assert [files.ef_unit for files in asked] == [unit]
