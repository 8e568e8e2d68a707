"""The first lines of a report."""

from dataclasses import replace

import pytest
from fakes.report import level, whole

from echo_augment.evaluation.report.content import BenchmarkReport, ClipsMade
from echo_augment.evaluation.report.first_lines import first_lines, made_by, measured_on
from echo_augment.evaluation.report.verdict import EF_ERROR

OURS = ClipsMade(
    kind="synthetic",
    generator="own",
    seed=0,
    sampler="ddim-4",
    features="MAFE's flow",
    videos=570,
    trained_on="the TRAIN videos of this run",
)


@pytest.fixture(scope="module")
def report() -> BenchmarkReport:
    arms = {"real": 0.0, "classical": 1.5, "synthetic": -1.5, "oracle": -4.0}
    return whole([level(16, 1.0, arms), level(64, 0.02, arms)])


def test_what_helps_what_harms_and_what_is_not_shown_at_each_number_of_labels(report):
    better, none, worse, *_ = first_lines(report, EF_ERROR)
    assert better.startswith("Better: synthetic against real at 16 labels (-1.")
    assert "synthetic against real at 64 labels" in none
    assert none.startswith("No difference shown: ")
    assert worse.startswith("Worse: classical against real at 16 labels (+1.")
    assert "oracle" not in better + none + worse, "a reference is no remedy"


def test_where_it_was_measured(report):
    data = {"format": 3, "population": "B", "label_noise": 4.0}
    words = measured_on(replace(report, config={**report.config, "data": data}))
    assert "phantoms of format 3, population B, labels with an error of 4 EF points" in words
    assert "80 TEST videos; 16, 64 labelled of 200 TRAIN videos, 16 VAL videos to select by; 3 seeds; net tiny" in words
    assert "Measured on: echonet;" in measured_on(replace(report, data="echonet"))


def test_what_made_the_clips_and_by_how_many_generators():
    [line] = made_by([OURS])
    assert line == (
        "Clips of kind synthetic: a generator of this run; 4 denoising steps (ddim); motion: MAFE's flow; "
        "trained on 570 videos, the TRAIN videos of this run."
    )
    [line] = made_by([OURS, replace(OURS, seed=1), replace(OURS, seed=2)])
    assert line.endswith("of this run; 3 generators, dealt to the seeds.")
    none = ClipsMade(kind="transport", generator="bundled", sampler="ddim-0")
    assert made_by([OURS, none])[1] == "Clips of kind transport: bundled; no denoising step."
    assert made_by([]) == []
