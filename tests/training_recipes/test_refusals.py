"""Every job refuses a setting that does not exist, is of another type or out of its range: in one line, at once."""

import sys

import pytest

from echo_augment.training_recipes.cli import find_jobs, main
from echo_augment.training_recipes.common.settings import KINDS

ENOUGH = {
    "cache": ["cache=c"],
    "train-ef": ["data.root=r"],
    "train-segmentation": ["data.root=r"],
    "import": ["from=video", "data=f"],
}
"""What a job needs besides ``out``."""
OUT_OF_RANGE = {
    "cache": ["clips=0", "clips must be"],
    "doctor": ["show=0", "show must be"],
    "phantom": ["fps=-1", "fps must be"],
    "fill-cache": ["gates.label.quantile=1.5", "gates.label.quantile must be in (0, 1], got 1.5"],
    "train-ef": ["trainer.optimizer.lr=0", "trainer.optimizer.lr must be above 0, got 0"],
    "train-segmentation": ["val_at_least=0", "val_at_least must be"],
}
JOBS = list(find_jobs())


def test_every_job_has_typed_settings():
    assert all(entry.load() for entry in find_jobs().values()) and set(KINDS) == set(JOBS)


@pytest.fixture
def refused(monkeypatch, tmp_path, capsys):
    """Runs a command that must end with one line, and leave nothing behind; gives the line."""
    monkeypatch.chdir(tmp_path)

    def run(job: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["echo-augment", job, "out=o", *ENOUGH.get(job, []), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        found = capsys.readouterr()
        assert ended.value.code == 1 and found.out == "" and found.err.count("\n") == 1, found
        assert list(tmp_path.iterdir()) == []
        return found.err

    return run


@pytest.mark.parametrize("job", JOBS)
def test_a_mistyped_setting(refused, job):
    assert "there is no setting sed. Did you mean seed?" in refused(job, "sed=1")


@pytest.mark.parametrize("job", JOBS)
def test_a_setting_of_another_type(refused, job):
    assert "error: seed: value 'many'" in refused(job, "seed=many")


@pytest.mark.parametrize("job", JOBS)
def test_a_setting_out_of_its_range(refused, job):
    setting, text = OUT_OF_RANGE.get(job, ["seed=-1", "seed must be a whole number of at least 0, got -1"])
    assert text in refused(job, setting)


def test_a_setting_in_a_group_and_a_group_s_file(refused):
    assert "no setting trainer.step. Did you mean trainer.steps?" in refused("train-ef", "trainer.step=5")
    assert "model: there is no tinny. Did you mean tiny?" in refused("train-ef", "model=tinny")
    assert "no setting modle. Did you mean model?" in refused("train-ef", "modle=tiny")
    assert "no setting arm.real.p. To add it to arm.real: +arm.real.p=" in refused("train-ef", "arm.real.p=1")
    assert "a setting val_at_least already. Leave out the plus" in refused("train-ef", "+val_at_least=2")


def test_the_user_s_own_wish_for_a_traceback_stays(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(sys, "argv", ["echo-augment", "phantom", "out=o", "nn=1"])
    with pytest.raises(Exception, match="nn"):
        main()


def test_a_sweep_refuses_in_one_line_too(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    for setting, text in (("nn=1,2", "there is no setting nn"), ("n=0,-1", "n must be a whole number")):
        monkeypatch.setattr(sys, "argv", ["echo-augment", "phantom", "out=o", "-m", setting])
        with pytest.raises(SystemExit):
            main()
        assert text in (error := capsys.readouterr().err) and error.count("\n") == 1
