"""The key of a training: it changes with all that figures depend on, and with nothing else; finished ones are found."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.cache import write_clips
from fakes.echo import make_clip
from fakes.training import ORACLE, REAL, ef_trainer, result, tiny

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.training.run import RESULT, SETTINGS, TrainingResult, TrainingRun, finished
from echo_augment.training_recipes.training.setup import Arithmetic

ROWS = [("a", 40, "TRAIN"), ("b", 50, "TRAIN"), ("v", 60, "VAL"), ("t", 70, "TEST"), ("x", 30, "OTHER")]


class Run(TrainingRun):
    """Of no task of its own."""

    task, result = "none", TrainingResult


def write_table(root: Path, rows=ROWS) -> Path:
    """A data set whose videos nobody opens."""
    (root / "Videos").mkdir(parents=True)
    lines = ["FileName,EF,FPS,NumberOfFrames,Split", *(f"{name},{ef},50,40,{split}" for name, ef, split in rows)]
    (root / "FileList.csv").write_text("\n".join(lines) + "\n")
    for name, _, _ in rows:
        (root / "Videos" / f"{name}.avi").write_bytes(name.encode())
    return root


@pytest.fixture
def root(tmp_path) -> Path:
    return write_table(tmp_path / "set")


def run_on(root, **changes) -> Run:
    given = {"root": str(root), "arm": "real", "spec": REAL, "labels": 2, "seed": 0}
    return Run(**{**given, "model": tiny(), "trainer": ef_trainer(), **changes})


def test_a_run_is_the_same_after_json_and_in_a_folder_that_moved(root, tmp_path):
    run = run_on(root)
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run
    moved = write_table(tmp_path / "moved")
    assert run_on(moved, device="cuda:1").key() == run.key()


@pytest.mark.parametrize(
    "change",
    [
        {"arm": "other"},
        {"spec": {**REAL, "p": 0.5}},
        {"labels": 1},
        {"seed": 1},
        {"model": tiny(8)},
        {"trainer": ef_trainer(steps=7)},
        {"trainer": ef_trainer(selection="one_se")},
        {"val_at_least": 3},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_figures_depend_on_changes_the_key(root, change):
    assert run_on(root, **change).key() != run_on(root).key()


def test_another_table_changes_the_key(root):
    before = run_on(root).key()
    table = root / "FileList.csv"
    table.write_text(table.read_text().replace("a,40", "a,41"))
    assert run_on(root).key() != before


def test_settings_that_say_nothing_new_leave_the_key_of_earlier_versions(root):
    plain = run_on(root).key()
    assert run_on(root, trainer=ef_trainer(selection="smallest")).key() == plain
    assert run_on(root, spec={**REAL, "p": None}).key() == plain
    assert run_on(root, unlabelled=3).key() == plain, "an arm of labelled clips alone has no use for them"
    own = {"_target_": "mine.arm"}
    assert run_on(root, spec=own, unlabelled=3).key() != run_on(root, spec=own).key()


def fill(folder: Path, *seeds: int) -> Path:
    write_clips(folder, [make_clip(seed) for seed in seeds], fingerprint="")
    return folder


def test_clips_change_the_key_of_an_arm_that_takes_them_wherever_they_lie(root, tmp_path):
    few, same, more = fill(tmp_path / "1", 1, 2), fill(tmp_path / "2", 1, 2), fill(tmp_path / "3", 1, 2, 3)
    keys = [run_on(root, spec=ORACLE, caches={"oracle": str(folder)}).key() for folder in (few, same, more)]
    assert keys[0] == keys[1] != keys[2]
    assert run_on(root, caches={"oracle": str(few)}).key() == run_on(root).key()
    left_out = tmp_path / "leave.txt"
    left_out.write_text("clip002\n")
    spec = {**ORACLE, "exclude": str(left_out)}
    assert run_on(root, spec=spec, caches={"oracle": str(few)}).key() != keys[0]


def test_an_arm_that_learns_from_another_net_has_that_training_in_its_key(root, tmp_path):
    spec = {"_target_": "mine.arm", "teacher": "real"}
    keys = []
    for key in ("one", "two"):
        (tmp_path / key).mkdir()
        (tmp_path / key / RESULT).write_text(json.dumps({"key": key}))
        keys.append(run_on(root, spec=spec, teachers={"real": str(tmp_path / key)}).key())
    assert keys[0] != keys[1]
    with pytest.raises(EchoAugmentError, match=r"result\.json: is missing.*folder of a finished training as teacher"):
        run_on(root, spec=spec, teachers={"real": str(tmp_path / "none")}).key()


def test_a_run_uses_the_videos_of_the_three_splits_that_are_there(root):
    (root / "Videos" / "b.avi").unlink()
    assert [row.name for row in run_on(root).videos()] == ["a", "v", "t"]


def test_a_wrong_number_of_unlabelled_patients_is_refused_before_any_work():
    with pytest.raises(EchoAugmentError, match="unlabelled must be a whole number of at least 0, got -1"):
        run_on("nowhere", unlabelled=-1)


@pytest.mark.parametrize("name", [RESULT, SETTINGS])
def test_a_folder_of_another_training_is_refused_and_an_empty_one_is_not_finished(root, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    run = run_on(root)
    assert finished(run, out) is None
    found = result(key=run.key()).to_json()
    (out / name).write_text(json.dumps(found))
    assert finished(run, out) == (result(key=run.key()) if name == RESULT else None)
    with pytest.raises(EchoAugmentError, match=r"other settings, data or clips\. Choose another out=, or delete"):
        finished(replace(run, seed=9), out)


def test_a_result_survives_its_file_and_older_results_have_no_arithmetic():
    found = result(arithmetic=Arithmetic("bf16", "cpu", "AVX512"), history=[{"step": 3.0, "mae": 4.5}])
    written = json.loads(json.dumps(found.to_json()))
    assert written["arithmetic"] == {"precision": "bf16", "device": "cpu", "kernels": "AVX512"}
    assert TrainingResult.from_json({**written, "of another version": 1}) == found
    del written["arithmetic"]
    assert TrainingResult.from_json(written) == replace(found, arithmetic=None)
