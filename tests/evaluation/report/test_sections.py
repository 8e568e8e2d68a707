"""What reports of all tasks share: verdict and caveat first, what was run, and the command that runs it again."""

from dataclasses import replace

import pytest
from fakes.report import level, predicted, whole

from echo_augment.evaluation.report.content import BenchmarkReport
from echo_augment.evaluation.report.ef_report import arm_table
from echo_augment.evaluation.report.pages import Section, Words
from echo_augment.evaluation.report.sections import (
    agreement,
    arms_sections,
    closing,
    command,
    opening,
    run_table,
)
from echo_augment.evaluation.report.verdict import EF_ERROR, verdict


@pytest.fixture(scope="module")
def report() -> BenchmarkReport:
    levels = [level(16, 1.0), level(64, 0.05)]
    return whole(levels, verdict=verdict(levels[0]))


def test_the_command_is_the_one_that_was_typed(report):
    typed = replace(report, overrides=("labels=[16,64]", "out=my runs"))
    assert command(typed) == "echo-augment benchmark 'labels=[16,64]' 'out=my runs'"


def test_a_report_without_typed_words_spells_its_settings(report):
    assert command(report) == (
        "echo-augment benchmark data=phantom 'data.root=/data/phantoms of ours' 'labels=[16,64]' 'seeds=[0,1,2]' "
        "'arm=[real,classical,pseudo_label,synthetic,synthetic+pseudo_label]' model=tiny clips=100 seed=0 out=runs/x"
    )


def words_of(section: Section, kind: str) -> str:
    return next(part.text for part in section.parts if isinstance(part, Words) and part.kind == kind)


@pytest.mark.parametrize(
    ("data", "test", "words"),
    [
        ("phantom", 80, "Phantom data, not EchoNet-Dynamic"),
        ("phantom", 5, "Phantom data, not EchoNet-Dynamic"),
        ("echonet", 29, "not a measurement: 200 TRAIN and 29 TEST videos are too few"),
        ("echonet", 30, "the quality of its clips of real patients is not claimed"),
    ],
)
def test_what_the_data_are_is_said_beside_the_verdict(report, data, test, words):
    given = replace(report, data=data, videos=replace(report.videos, test=test))
    assert words in words_of(opening(given, "EF regression", EF_ERROR), "caveat")


def test_a_report_begins_with_its_size_and_the_verdict_in_its_colour(report):
    first = opening(report, "EF regression", EF_ERROR, [Words("between")])
    assert first.parts[0] == Words("EF regression with 16 labelled videos of 200, 3 seeds, 80 TEST videos", "sub")
    assert first.parts[1] == Words(report.verdict, "verdict helped") and first.parts[2].kind == "list"
    assert first.parts[2].text.startswith("Better: ") and first.parts[3] == Words("between")
    one = opening(replace(report, videos=replace(report.videos, test=1)), "EF", EF_ERROR)
    assert one.parts[0].text.endswith("1 TEST video")
    lone = opening(replace(report, contrasts={}), "EF", EF_ERROR)
    assert lone.parts[1].kind == "verdict unknown"


def test_labels_are_drawn_only_if_there_are_several(report):
    several = arms_sections(report, arm_table(report, 0.95), EF_ERROR, "Error against labels")
    assert [one.title for one in several] == ["Every arm", "The differences", "Error against labels"]
    alone = whole([level(16, 1.0)])
    assert [one.title for one in arms_sections(alone, arm_table(alone, 0.95), EF_ERROR, "x")] == [
        "Every arm",
        "The differences",
    ]


def test_what_was_run_stands_in_the_last_sections(report):
    rows = dict(run_table(report).rows)
    assert rows["data"] == "phantom, /data/phantoms of ours" and rows["seeds"] == "0, 1, 2"
    assert rows["labelled"] == "16 (8.0 % of TRAIN), 64 (32.0 % of TRAIN), drawn by seed"
    assert rows["videos"] == "200 TRAIN, 16 VAL to select by with 16 labels, 80 TEST"
    assert "60 trainings of 60 minutes in all" in rows["time"] and "cpu, 2 cores, Linux x86_64" in rows["time"]
    assert rows["generator"] == "bundled, fingerprint abc"
    own = {**report.config, "generator": {"weights": None}}
    assert dict(run_table(replace(report, config=own, fingerprint="", machine=None)).rows)["generator"] == (
        "trained first, on the TRAIN split, fingerprint –"
    )
    assert dict(run_table(replace(report, machine=None)).rows)["time"] == "–"


def test_notes_stand_at_the_end_if_there_are_any(report):
    assert [one.title for one in closing(report)] == ["What was run"]
    noted = closing(replace(report, notes=("one thing",), skipped=(("0X1", "cut short"),)))
    assert noted[-1] == Section("Notes", [Words("one thing\n0X1: left out, cut short", "list")])


def test_agreement_names_what_is_read():
    assert [one.title for one in agreement(predicted(16, 1.0), "EF, from masks")] == [
        "Predicted against true EF, from masks",
        "Agreement (Bland-Altman)",
    ]
