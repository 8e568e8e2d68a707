"""Progress: on a terminal one line over itself, in a log file a line a minute and no carriage return."""

import io
import sys
from pathlib import Path

import pytest

from echo_augment.cache.system import progress
from echo_augment.cache.system.progress import Progress, Talk, follow, leave, say, talking

ROOT = Path(__file__).parents[3]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(total=10, seconds=20.0, **options):
    """Count `total` items, each of some seconds."""
    clock = Clock()
    with Progress("prepare", total, unit="video", clock=clock, **options) as bar:
        for _ in range(bar.done, total):
            clock.now += seconds
            bar.update()


def test_a_log_file_gets_a_line_a_minute_and_a_last_one(capsys):
    run()
    lines = capsys.readouterr().err.split("\n")
    assert lines == [
        "prepare: 3 of 10 videos, 60 s so far, about 2 min left",
        "prepare: 6 of 10 videos, 2 min so far, about 80 s left",
        "prepare: 9 of 10 videos, 3 min so far, about 20 s left",
        "prepare: 10 videos in 3 min",
        "",
    ]


def test_a_verbose_job_writes_more_often_a_quiet_one_nothing(capsys):
    with talking(Talk.VERBOSE):
        run()
    assert capsys.readouterr().err.count("\n") == 11
    with talking(Talk.QUIET):
        run()
        say("on the way")
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""
    say("again")
    assert capsys.readouterr().out == "again\n"


def test_what_was_done_before_tells_nothing_of_the_pace(capsys):
    run(total=10, done=7, seconds=60.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "prepare: 8 of 10 videos, 60 s so far, about 2 min left"
    assert lines[-1] == "prepare: 10 videos (7 were there) in 3 min"


def test_a_terminal_gets_one_line_that_is_drawn_over_itself(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "30")
    run()
    text = terminal.getvalue()
    assert text.count("\n") == 1 and text.endswith("\rprepare: 10 videos in 3 min\n")
    pictures = text.split("\r")[1:-1]
    assert len(pictures) > 10 and all(len(one) < 30 for one in pictures)
    assert pictures[0] == "prepare: 1 of 10 videos, 20 s"


def test_a_line_of_the_job_stands_above_the_progress(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", terminal)
    clock = Clock()
    with Progress("fill", 2, unit="clip", clock=clock) as bar:
        clock.now = 1.0
        bar.update(notes="3 rejected")
        say("1 of 2 clips are there")
    picture = "fill: 1 of 2 clips, 1 s so far, about 1 s left; 3 rejected"
    wiped = f"\r{' ' * len(picture)}\r"
    assert terminal.getvalue() == (
        f"\r{picture}{wiped}1 of 2 clips are there\n\r{picture}{wiped}fill: 1 clip in 1 s; 3 rejected\n"
    )


def test_inner_stages_come_before_the_outer_goes_on(capsys):
    for _ in follow([1, 2], "outer", unit="round"):
        list(follow([1], "inner", unit="step"))
    assert capsys.readouterr().err.splitlines() == ["inner: 1 step in 0 s"] * 2 + ["outer: 2 rounds in 0 s"]


def test_an_error_ends_all_lines_and_says_where(capsys):
    def worked():
        with Progress("outer", 3, unit="round"), Progress("inner", None, unit="step") as inner:
            inner.update(2)
            leave()
            raise ValueError

    with pytest.raises(ValueError):
        worked()
    assert capsys.readouterr().err.splitlines() == [
        "inner: 2 steps, 0 s so far; stopped",
        "outer: 0 of 3 rounds, 0 s so far; stopped",
    ]
    assert progress._shown == []


def test_a_stage_that_nobody_wants_to_see_is_silent(capsys):
    assert list(follow(iter([1, 2]), "hashes", unit="hash", show=False)) == [1, 2]
    assert capsys.readouterr().err == ""


def test_a_closed_stream_is_no_terminal():
    closed = io.StringIO()
    closed.close()
    assert not progress.on_terminal(closed) and not progress.on_terminal(None)


def test_no_other_progress_is_used_anywhere():
    for floor in ("cache", "augmentor", "training_recipes", "evaluation"):
        for path in (ROOT / floor).rglob("*.py"):
            assert "tqdm" not in path.read_text(encoding="utf-8"), path
