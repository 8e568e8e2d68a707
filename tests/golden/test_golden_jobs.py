"""Every job, run on tiny inputs: report.json, files on disk, and that a second run does nothing again."""

from pathlib import Path

import commands
import frozen
import pytest
import reports

NAMES = [name for name, _ in commands.job_commands(Path())]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Folder in which every job has run once, some twice."""
    return commands.in_child("jobs", tmp_path_factory.mktemp("golden") / "jobs")


def test_every_job_ends_as_before(root):
    found = {name: one["exit"] for name, one in frozen.read(root / "jobs.json").items()}
    assert found == frozen.read(frozen.DATA / "exits.json")


@pytest.mark.parametrize("name", NAMES)
def test_report_is_as_before(root, name):
    golden = frozen.read(frozen.REPORTS / f"{name}.json")
    found = reports.read_report(root, name)
    keys = [{reports.collapsed(path) for path in report} for report in (golden, found)]
    assert keys[0] == keys[1], "report.json has other keys"
    assert not (lines := reports.differences(golden, found)), "\n".join(lines)


@pytest.mark.parametrize("name", commands.LAID_OUT)
def test_files_are_where_they_were(root, name):
    assert frozen.layout(root / name) == frozen.read(frozen.DATA / "layout.json")[name]


@pytest.mark.parametrize("name", commands.AGAIN)
def test_second_run_trains_nothing_again(root, name):
    again = frozen.read(root / "jobs.json")[name]["again"]
    assert again["exit"] == 0
    assert again["first"] and again["second"] == again["first"]


def test_fingerprints_are_as_before(root):
    golden = frozen.read(frozen.DATA / "fingerprints.json")
    found = frozen.fingerprints(frozen.ClipStore(root / commands.CACHE).fingerprint)
    for name in ("version", "arithmetic"):  # go into the fingerprint by design: then it must have changed
        if golden[name] != found[name]:
            assert golden["fill"] != found["fill"]
            golden = {**golden, "fill": found["fill"], name: found[name]}
    assert found == golden


def test_clip_of_a_plan_line_is_as_before(root):
    golden, found = frozen.read(frozen.DATA / "line.json"), frozen.read(root / "line.json")
    frames = [one.pop("frames") for one in (golden, found)]
    assert not (lines := reports.differences(reports.flat("", golden, root), reports.flat("", found, root))), lines
    assert frames[1] == [pytest.approx(frame, abs=0.5) for frame in frames[0]]
