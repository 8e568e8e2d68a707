"""The gates of a fill: what they reject, what limits they set, and that a cache keeps to one set of them."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_module

from echo_augment.augmentor.data import VideoInfo, content_hash, probe_video, read_table, read_video, write_video
from echo_augment.augmentor.data.phantom import load_masks, write_phantoms
from echo_augment.augmentor.mcdm.generate import TRAINED_ON
from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, PlanLine, Provenance
from echo_augment.cache.gates import image_gate
from echo_augment.training_recipes import fill_cache
from echo_augment.training_recipes.gates.hearts import heart_clips
from echo_augment.training_recipes.gates.label import LabelGate, read_masks, set_tolerance
from echo_augment.training_recipes.gates.make import make_gates
from echo_augment.training_recipes.gates.privacy import Looks, PrivacyGate, look_by, set_threshold
from echo_augment.training_recipes.gates.readings import Readings, label_figures, privacy_figures, spread
from echo_augment.training_recipes.gates.settings import IMAGE_ONLY, agree, read_settings
from echo_augment.training_recipes.gates.teacher import Teacher
from echo_augment.training_recipes.train_ef import run as train_ef_job

READER = {"length": 4, "period": 2, "fps": 50.0, "mean": [0.0] * 3, "std": [1.0] * 3, "size": [16, 16]}
FORM = {"frames": 8, "rate": 25.0, "size": 112}


class Brightness(torch.nn.Module):
    """Reads the mean grey level of a clip as its EF."""

    def forward(self, clips):
        return clips.mean((1, 2, 3, 4))


def grey(name: str, level: float, frames: int = 8, fps: float = 25.0, ef: float = 50.0, side: int = 16) -> EchoClip:
    return EchoClip(name, np.full((frames, side, side), level, np.uint8), fps, ef=ef)


def line(name: str, motion: str = "A", look: str = "B") -> PlanLine:
    return PlanLine(name, motion, look, 0)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), 12, frames=40, workers=1, splits=(0.5, 0.25, 0.25))


# ------------------------------------------------------------------------------------------------- teacher, label
def test_a_teacher_reads_a_clip_of_any_rate_and_size():
    teacher = Teacher(Brightness(), READER)
    ramp = np.repeat(np.arange(0, 80, 10, dtype=np.uint8), 16 * 16).reshape(8, 16, 16)
    same, half = EchoClip("a", ramp, 25.0), EchoClip("b", ramp[::2], 12.5)
    assert [video.shape for video in map(teacher.windows, (same, half))] == [(5, 3, 4, 16, 16), (2, 3, 4, 16, 16)]
    read = teacher([same, half, grey("c", 30, side=24)])
    assert read[0] == pytest.approx(35)  # windows 0-3 to 4-7, mean levels 15 to 55
    assert read[1] == pytest.approx(25)  # interpolated to 25 a second: 0, 10, 20, 30 and 20, 30, 40, 50
    assert read[2] == pytest.approx(30)
    assert len(teacher([])) == 0


def test_a_clip_shorter_than_the_teacher_s_window_is_an_error_with_the_remedy():
    with pytest.raises(EchoAugmentError, match=r"0\.16 s.*trainer\.length"):
        Teacher(Brightness(), READER)([grey("short", 9, frames=3)])


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
    figures = label_figures(columns, {"far": "label: x", "low": "label: y"})
    assert figures["all"] == {"n": 3, "mae": pytest.approx(31 / 3), "bias": pytest.approx(3), "label_ef": 50}
    assert figures["passed"] == {"n": 1, "mae": 9, "bias": 9, "label_ef": 50}
    assert label_figures({}, {})["passed"] == {"n": 0, "mae": None, "bias": None, "label_ef": None}


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

    found = set_tolerance(read, rows, **FORM, quantile=1.0)
    assert found["tolerance"] == pytest.approx(9) and found["val_hearts"] == 3 and found["mae"] == pytest.approx(6)
    assert found["bias"] == pytest.approx(6) and set(seen) == {(8, 112, 112)}
    assert set_tolerance(read, rows, **FORM, quantile=0.5)["tolerance"] == pytest.approx(6)
    for none in ([], [replace(row, ef=float("nan")) for row in rows]):
        with pytest.raises(EchoAugmentError, match=r"gates\.label\.tolerance=NUMBER"):
            set_tolerance(read, none, **FORM, quantile=0.9)


# ---------------------------------------------------------------------------------------------------------- privacy
def looks(**vectors) -> Looks:
    array = np.array(list(vectors.values()), np.float64)
    return Looks(tuple(vectors), array / np.linalg.norm(array, axis=1, keepdims=True))


TRAIN = looks(A=(1, 0, 0), B=(0, 1, 0), C=(0, 0, 1), D=(1, 1, 0))


def privacy(folder: Path, vector, against: str = "others", threshold: float = 0.9, pair: float = 0.8) -> PrivacyGate:
    unit = np.array(vector, np.float64) / np.linalg.norm(vector)
    options = {"against": against, "threshold": threshold, "pair_threshold": pair, "readings": Readings(folder)}
    return PrivacyGate(lambda clips: np.stack([unit] * len(clips)), TRAIN, **options)


@pytest.mark.parametrize(
    ("vector", "against", "reason"),
    [
        ((0, 1, 0.1), "others", None),  # its appearance donor B, as it should be
        ((0, 1, 0.1), "all", "privacy: like appearance donor B, similarity 0.995 over 0.900"),
        ((0, 0.1, 1), "others", "privacy: like TRAIN heart C, similarity 0.995 over 0.900"),
        ((1, 0.1, 0), "others", "privacy: like motion donor A, similarity 0.995 over 0.900"),
        ((0.85, 0.3, 0.5), "others", "privacy: like motion donor A, similarity 0.825 over 0.800"),
        ((0.6, 0.6, 0.7), "all", None),
    ],
)
def test_a_clip_must_look_like_its_appearance_donor_alone(tmp_path, vector, against, reason):
    assert privacy(tmp_path, vector, against).judge([line("a")], [grey("a", 1)]) == [reason]


def test_similarities_are_kept_and_summed_up(tmp_path):
    gate = privacy(tmp_path, (0, 1, 0.1))
    gate.judge([line("a"), line("b", motion="B"), line("c", look="elsewhere")], [grey(name, 1) for name in "abc"])
    columns = gate.readings.columns()
    assert columns["appearance"] == {"a": pytest.approx(0.995, abs=1e-3), "b": pytest.approx(0.995, abs=1e-3)}
    assert set(columns["motion"]) == {"a", "c"}, "a heart paired with itself has no motion donor to be told from"
    assert columns["nearest_other"]["c"] == pytest.approx(0.995, abs=1e-3)
    figures = privacy_figures(columns)
    assert figures["recognised"] == 1.0 and figures["to_nearest_other"]["n"] == 3


def test_the_threshold_is_what_val_hearts_show():
    val = looks(V=(1, 1, 0.2), W=(0, 0.6, 0.8))
    nearest = [(2 / np.sqrt(2)) / np.sqrt(2.04), 0.8]
    found = set_threshold(TRAIN, val, 1.0)
    assert found["threshold"] == pytest.approx(max(nearest)) and found["val_hearts"] == 2
    assert found["val_to_nearest_train"]["mean"] == pytest.approx(np.mean(nearest))
    half = set_threshold(TRAIN, val, 0.5)
    assert half["threshold"] == pytest.approx(np.median(nearest))
    assert half["pair_threshold"] == pytest.approx(np.median(val.vectors @ TRAIN.vectors.T))
    assert half["pair_threshold"] < half["threshold"]
    for train, judges in ((TRAIN, Looks((), np.array([]))), (Looks((), np.array([])), val)):
        with pytest.raises(EchoAugmentError, match=r"gates\.privacy\.threshold=NUMBER"):
            set_threshold(train, judges, 0.99)


def test_looks_are_of_all_videos_that_can_be_read(root, tmp_path):
    rows = read_table(root).split("VAL")
    (tmp_path / "broken.avi").write_bytes(b"RIFF")
    write_video(tmp_path / "short.avi", np.full((3, 112, 112), 40, np.uint8), 50.0)
    odd = [VideoInfo(name, tmp_path / f"{name}.avi") for name in ("broken", "short")]
    torch.manual_seed(0)
    look = look_by(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(112 * 112, 5)), "cpu")
    found = Looks.of([*rows, *odd], look, **FORM, what="looks")
    assert found.names == (*[row.name for row in rows], "short") and found.vectors.shape == (4, 5)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1)
    assert [row.name for row, _ in heart_clips(odd, **FORM, what="x")] == [], "too short for a whole clip"


# --------------------------------------------------------------------------------------------- settings, agreement
def config(*overrides):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return compose("fill-cache", ["data=echonet", "data.root=x", "out=y", *overrides])


def test_the_gates_that_need_more_are_off_by_default():
    settings = read_settings(config().gates)
    assert settings.image and settings.label is None and settings.privacy is None


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["gates.label.teacher=t", "gates.label.tolerance=-3"], r"\(0, 100\] EF points, got -3"),
        (["gates.label.teacher=t", "gates.label.tolerance=wide"], "number or null, got 'wide'"),
        (["gates.label.teacher=t", "gates.label.quantile=0"], r"quantile must be in \(0, 1\], got 0"),
        (["gates.label.by=nurse"], "teacher, masks, got 'nurse'"),
        (["gates.label.tolerance=5"], "there is no teacher"),
        (["gates.label.by=masks"], "tolerance=NUMBER"),
        (["gates.label.by=masks", "gates.label.tolerance=5", "gates.label.teacher=t"], "uses no teacher"),
        (["gates.privacy.against=others", "gates.privacy.threshold=1.2"], r"\[-1, 1\], got 1.2"),
        (["gates.privacy.against=everyone"], "others, all or null, got 'everyone'"),
        (["gates.privacy.threshold=0.5"], "the gate is off"),
        (["gates.privacy.against=all", "gates.privacy.quantile=1.5"], r"got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_value(overrides, text):
    with pytest.raises(EchoAugmentError, match=text):
        read_settings(config(*overrides).gates)


def test_a_cache_keeps_to_the_gates_it_was_begun_with(tmp_path):
    calls = []

    def calibrate():
        calls.append(1)
        return {"label": {"tolerance": 5.0 + len(calls)}}

    other = {"image": True, "label": None, "privacy": None}
    strict = {**other, "label": {"by": "x"}}
    assert agree(tmp_path, strict, calibrate) == {"label": {"tolerance": 6.0}}
    assert agree(tmp_path, other, dict) == {}, "nothing was filled yet: the gates may still change"
    assert agree(tmp_path, strict, calibrate) == {"label": {"tolerance": 7.0}}
    (tmp_path / "plan.jsonl").write_text("{}")
    assert agree(tmp_path, strict, calibrate) == {"label": {"tolerance": 7.0}} and len(calls) == 2
    with pytest.raises(EchoAugmentError, match=r"is being filled with the gates.*fill another folder"):
        agree(tmp_path, other, dict)
    (tmp_path / "gates.json").write_text('{"gates": [1]}')
    with pytest.raises(EchoAugmentError, match=r"gates\.json is damaged"):
        agree(tmp_path, strict, calibrate)
    (tmp_path / "gates.json").unlink()
    assert agree(tmp_path, other, dict) == {}, "a cache of a job that knows the image gate alone"
    (tmp_path / "gates.json").unlink()
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        agree(tmp_path, strict, calibrate)


def test_a_cache_keeps_to_its_mask_gate_as_well(tmp_path):
    def gates(**others):
        return make_gates(config().gates, None, tmp_path, tmp_path, device="cpu", others=others)

    assert gates(masks=0.5).gates == [image_gate]
    (tmp_path / "plan.jsonl").write_text("{}")
    assert gates(masks=0.5).figures() == {"gates": {"settings": {**IMAGE_ONLY, "masks": 0.5}, "limits": {}}}
    with pytest.raises(EchoAugmentError, match=r"'masks': 0\.5.*'masks': 0\.7"):
        gates(masks=0.7)
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        gates()


def test_readings_outlive_a_kill_and_count_a_clip_once(tmp_path):
    for rank in range(2):
        readings = Readings(tmp_path, rank=rank, world=2)
        readings.add(f"c{rank}", nearest_other=0.5, motion=float("nan"))
        readings.close()
    again = Readings(tmp_path, rank=1, world=2)
    again.add("c1", nearest_other=0.25)
    with (tmp_path / "readings-0-of-2.jsonl").open("ab") as file:
        file.write(b'{"clip_id": "torn')
    assert again.columns() == {"nearest_other": {"c0": 0.5, "c1": 0.25}}
    assert spread([]) == {"n": 0} and spread([1.0, 3.0])["q50"] == 2.0


# ------------------------------------------------------------------------------------------------------- end to end
class Painter:
    """Paints clips in the grey of the motion donor's EF; every fourth line 30 points too bright."""

    fingerprint, sampler, frames, fps, height, width = "painter", "none", 8, 25.0, 112, 112
    skipped = ()

    def __init__(self, root: Path) -> None:
        self.motion_donors = {row.name: row.ef for row in read_table(root).split("TRAIN")}
        self.appearance_donors = sorted(self.motion_donors)
        self.pipeline = SimpleNamespace(reid=lambda frames: frames.flatten(1)[:, :7] + 0.01)

    def __call__(self, lines):
        return [self.clip(line) for line in lines]

    def clip(self, line):
        ef = self.motion_donors[line.motion_donor]
        level = ef + (30 if line.seed % 4 == 0 else 0)
        ripple = np.random.default_rng(line.seed).integers(-20, 21, (8, 112, 112))
        frames = np.clip(level + ripple, 0, 255).astype(np.uint8)
        source = Provenance(line.motion_donor, line.appearance_donor, line.seed, fingerprint="painter")
        return EchoClip(line.clip_id, frames, 25.0, ef=ef, provenance=source)


@pytest.fixture
def teacher(monkeypatch, tmp_path):
    """A teacher's folder whose net reads brightness."""
    folder = tmp_path / "teacher"
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps({"reader": {**READER, "size": [112, 112]}}))
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / TRAINED_ON).write_text(json.dumps({"first": [], "content": []}))
    monkeypatch.setattr("echo_augment.training_recipes.gates.teacher.load_net", lambda folder: Brightness())
    return folder


def test_a_fill_with_a_label_gate_holds_only_clips_that_show_their_label(root, teacher, tmp_path, capsys):
    out = tmp_path / "cache"
    settings = [f"data.root={root}", f"out={out}", "n=12", "reserve=1", "batch=4", "device=cpu"]
    settings += [f"gates.label.teacher={teacher}", "gates.label.tolerance=15"]
    fill_cache.run(config(*settings), lambda *_, **__: Painter(root))
    said = capsys.readouterr().out
    assert "gates: label within 15.0 EF points (given)\n" in said
    report = json.loads((out / "report.json").read_text())
    rejected = report["fill"]["rejected"]["label"]
    assert rejected > 0 and report["fill"]["sealed"] == 12
    assert all(clip.provenance.seed % 4 for clip in ClipStore(out))
    label = report["gates"]["label"]
    assert label["all"]["n"] == 12 + rejected and label["passed"]["n"] == 12
    assert label["passed"]["mae"] < 3 < label["all"]["mae"]
    assert report["gates"]["limits"] == {"label": {"tolerance": 15.0}}
    fill_cache.run(config(*settings), lambda *_, **__: Painter(root))
    again = json.loads((out / "report.json").read_text())
    assert again["gates"] == report["gates"], "a finished fill that is run again still reports on all clips"
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        fill_cache.run(config(*settings[:-1], "gates.label.tolerance=50"), lambda *_, **__: Painter(root))
    (teacher / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        fill_cache.run(config(*settings), lambda *_, **__: Painter(root))


def test_a_privacy_gate_that_everything_fails_is_an_error_with_the_reasons(root, tmp_path):
    settings = [f"data.root={root}", f"out={tmp_path / 'c'}", "n=4", "device=cpu", "gates.privacy.against=all"]
    with pytest.raises(EchoAugmentError, match=r"no clip passed the gates .*privacy"):
        fill_cache.run(config(*settings, "gates.privacy.threshold=-1"), lambda *_, **__: Painter(root))
    reasons = (tmp_path / "c" / "rejected-0-of-1.jsonl").read_text().splitlines()
    assert len(reasons) == 5 and all('"privacy: like ' in reason for reason in reasons)
    report = json.loads((tmp_path / "c" / "report.json").read_text())
    assert report["gates"]["privacy"]["to_nearest_other"]["n"] == 5
    assert report["gates"]["limits"]["privacy"]["threshold"] == -1


def test_a_generator_without_re_id_cannot_be_gated(root, tmp_path):
    painter = Painter(root)
    painter.pipeline = None
    settings = [f"data.root={root}", f"out={tmp_path / 'c'}", "n=4", "device=cpu", "gates.privacy.against=others"]
    with pytest.raises(EchoAugmentError, match="no re-ID model"):
        fill_cache.run(config(*settings), lambda *_, **__: painter)


def test_a_folder_that_is_no_teacher_is_refused_with_the_remedy(root, teacher, tmp_path, monkeypatch):
    hashes = teacher / TRAINED_ON
    val = read_table(root).split("VAL")
    leak = {"first": [probe_video(val[1].path).first], "content": [content_hash(val[1].path)]}
    hashes.write_text(json.dumps(leak))
    with pytest.raises(EchoAugmentError, match="a VAL video trained the teacher"):
        Teacher.load(teacher, held_out=val)
    hashes.unlink()
    with pytest.raises(EchoAugmentError, match=r"training_hearts\.json.*again"):
        Teacher.load(teacher)
    hashes.write_text(json.dumps({"first": [], "content": []}))
    (teacher / "result.json").write_text("{}")
    with pytest.raises(EchoAugmentError, match="earlier version"):
        Teacher.load(teacher)
    (teacher / "result.json").write_text(json.dumps({"reader": {**READER, "fps": 0}}))
    with pytest.raises(EchoAugmentError, match="fps must be positive"):
        Teacher.load(teacher)
    monkeypatch.undo()
    with pytest.raises(EchoAugmentError, match="is missing"):
        Teacher.load(tmp_path / "nowhere")


def test_train_ef_writes_a_teacher(root, tmp_path):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        overrides = ["trainer.steps=2", "trainer.length=6", "trainer.batch_size=4", "model.settings.widths=[2,2]"]
        overrides += [f"data.root={root}", f"out={tmp_path}", "val_at_least=1", "device=cpu", "trainer.precision=fp32"]
        train_ef_job(compose("train-ef", overrides))
    val = read_table(root).split("VAL")
    teacher = Teacher.load(tmp_path, held_out=val)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["reader"]["fps"] == 50 and result["reader"]["size"] == [112, 112]
    row = read_table(root).split("TEST")[0]
    frames, fps = read_video(row.path)
    read = teacher([EchoClip(row.name, frames, fps)])[0]
    assert read == pytest.approx(result["predictions"][row.name][1], abs=0.01), "the same windows, normalised alike"


@pytest.mark.slow
def test_all_gates_on_a_fill_by_the_bundled_generator(tmp_path, capsys):
    """Minutes: 80 phantoms, a tiny teacher of 400 steps, 60 clips. Prints what the gates found."""
    data = write_phantoms(tmp_path / "data", 80, seed=77, splits=(0.7, 0.2, 0.1))
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        train_ef_job(compose("train-ef", [f"data.root={data}", f"out={tmp_path / 'teacher'}", "device=cpu"]))
    settings = [f"data.root={data}", f"out={tmp_path / 'cache'}", "n=60", "reserve=2", "device=cpu"]
    settings += [f"gates.label.teacher={tmp_path / 'teacher'}", "gates.privacy.against=others"]
    fill_cache.run(config(*settings))
    report = json.loads((tmp_path / "cache" / "report.json").read_text())
    gates, fill = report["gates"], report["fill"]
    with capsys.disabled():
        print(json.dumps({"gates": gates, "rejected": fill["rejected"], "sealed": fill["sealed"]}, indent=1))
    judged = gates["label"]["all"]["n"]
    assert fill["sealed"] + sum(fill["rejected"].values()) == judged
    assert gates["label"]["passed"]["mae"] <= gates["limits"]["label"]["tolerance"]
    if "label" in fill["rejected"]:
        assert gates["label"]["passed"]["mae"] < gates["label"]["all"]["mae"]
    privacy, limit = gates["privacy"], gates["limits"]["privacy"]["threshold"]
    assert privacy["recognised"] > 0.9, "MCDM keeps the appearance donor's look"
    assert privacy["to_appearance_donor"]["q50"] > limit, "against=all would reject it"
    stored = {clip.clip_id for clip in ClipStore(tmp_path / "cache")}
    for path in (tmp_path / "cache").glob("readings-*.jsonl"):
        for reading in map(json.loads, path.read_text().splitlines()):
            if reading["clip_id"] in stored and "nearest_other" in reading:
                assert reading["nearest_other"] <= limit
