"""The true-size run: its commands are ones that the jobs take, disk is stated first, a stopped run goes on."""

import csv
import json
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.studies import true_size
from echo_augment.evaluation.studies.true_size import (
    JOBS,
    TESTED,
    Step,
    announce,
    disk_needed,
    few_tests,
    main,
    run,
    steps_of,
)
from echo_augment.evaluation.studies.true_size_page import read_page
from echo_augment.training_recipes.cli import register_settings
from echo_augment.training_recipes.common.settings import KINDS, settings_from


@pytest.mark.parametrize("step", [s for s in steps_of(Path("x"), 128) if JOBS in s.command], ids=lambda step: step.name)
def test_a_job_takes_what_its_step_asks_for(step):
    name, *overrides = step.command[step.command.index(JOBS) + 1 :]
    register_settings(name, overrides)
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        settings = settings_from(compose(name, overrides), KINDS[name])
    assert settings.out.startswith("x/")


def test_steps_have_names_and_folders_of_their_own_and_only_the_store_is_dropped():
    steps = steps_of(Path("x"), 128)
    assert len({step.name for step in steps}) == len(steps) and steps[0].name == "data"
    assert [step.name for step in steps if step.drops] == ["pack"]


def test_disk_is_stated_and_a_disk_that_is_too_small_refused(tmp_path, capsys, monkeypatch):
    assert 15 < disk_needed(10_030)["at most"] < 25
    needed = announce(tmp_path / "new", 200)
    told = capsys.readouterr().out
    assert f"at most {needed['at most']:.1f}" in told and "free" in told

    class Full:
        free = 10_000

    monkeypatch.setattr(true_size.shutil, "disk_usage", lambda _: Full)
    with pytest.raises(EchoAugmentError, match=r"0\.0 GB are free, .* GB needed"):
        announce(tmp_path / "new", 200)


def test_the_few_tests_are_the_first_and_their_videos_the_same(tmp_path):
    data, few = tmp_path / "data", tmp_path / "few"
    (data / "Videos").mkdir(parents=True)
    rows = [[f"t{k}", "50", "TRAIN"] for k in range(3)] + [[f"e{k}", "50", "TEST"] for k in range(TESTED + 5)]
    traced = [[f"{row[0]}.avi", "1", "2"] for row in rows for _ in range(2)]
    tables = {"FileList.csv": [["FileName", "EF", "Split"], *rows]}
    tables["VolumeTracings.csv"] = [["FileName", "X1", "Frame"], *traced]
    for name, lines in tables.items():
        with (data / name).open("w", newline="") as file:
            csv.writer(file).writerows(lines)
    for _ in range(2):
        few_tests(data, few)
    kept = list(csv.reader((few / "FileList.csv").open(newline="")))
    assert [row[0] for row in kept[1:]] == ["t0", "t1", "t2", *(f"e{k}" for k in range(TESTED))]
    assert len(list(csv.reader((few / "VolumeTracings.csv").open(newline="")))) == 1 + 2 * (3 + TESTED)
    assert (few / "Videos").resolve() == (data / "Videos").resolve()


@pytest.fixture
def two_steps(monkeypatch):
    """Steps that write a file each; the second fails while a file ``bad`` is there."""

    def steps(folder, videos):
        code = (
            "import pathlib, sys; p = pathlib.Path({0!r}); p.mkdir(exist_ok=True); (p / 'f').write_bytes(b'x' * 9000)"
        )
        fails = f"; sys.exit('bad' if pathlib.Path({str(folder / 'bad')!r}).exists() else 0)"
        one, two = ([sys.executable, "-c", code.format(str(folder / name))] for name in ("one", "two"))
        two[-1] += "; print('two: 1 of 9 files, 3 s so far'); print('a warning of /some/path')" + fails
        return [
            Step("one", "writes one", one, folder / "one", drops=True),
            Step("two", "writes two", two, folder / "two"),
        ]

    monkeypatch.setattr(true_size, "steps_of", steps)


def test_a_step_that_fails_is_told_in_the_document_and_runs_again(tmp_path, two_steps, capsys):
    folder, docs = tmp_path / "run", tmp_path / "docs"
    folder.mkdir()
    (folder / "bad").touch()
    with pytest.raises(EchoAugmentError, match="exit code 1 bad"):
        run(folder, docs, 128)
    first, second = read_page(docs)
    assert first.watched.done and first.disk > 9000 and not (folder / "one").exists()
    assert (second.ended, second.disk) == ("no; stopped at: two: 1 of 9 files, 3 s so far", 0)
    page = (docs / "true-size.md").read_text()
    assert "1 of 2 steps ended" in page and "not `two`" in page and str(tmp_path) not in page
    (folder / "bad").unlink()
    assert main([str(folder), str(docs), "128"]) == 0
    assert [step.ended for step in read_page(docs)] == ["yes", "after 2 starts"]
    assert "2 of 2 steps ended" in (docs / "true-size.md").read_text()
    assert "see " in capsys.readouterr().out


def test_single_steps_can_be_run(tmp_path, two_steps):
    run(tmp_path / "run", tmp_path / "docs", 128, ["two"])
    assert [step.ended for step in read_page(tmp_path / "docs")] == ["not begun", "yes"]
    with pytest.raises(EchoAugmentError, match="STEP"):
        run(tmp_path / "run", tmp_path / "docs", 128, ["three"])


def test_wrong_arguments_are_told(tmp_path, capsys):
    assert main(["only"]) == 2 and "usage" in capsys.readouterr().err
    assert main([str(tmp_path), str(tmp_path), "5"]) == 1 and "VIDEOS" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_run_at_a_small_size(tmp_path):
    run(tmp_path / "run", tmp_path / "docs", 128)
    assert all(step.watched.done for step in read_page(tmp_path / "docs"))
    found = json.loads((tmp_path / "docs" / "true-size.json").read_text())
    assert found["videos"] == 128
