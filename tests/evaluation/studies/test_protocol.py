"""The ten answers of the protocol's run, over the reports of its parts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.benchmark import configure, load
from fakes.report import answering, level, whole

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark import caches, tuning
from echo_augment.evaluation.benchmark.job import run_benchmark
from echo_augment.evaluation.studies.protocol import PARTS, answers, read_parts, verdict, why
from echo_augment.evaluation.studies.protocol_page import write

PAIR = "synthetic-real"


@pytest.fixture(scope="module")
def parts():
    found = {"ef-16": answering(1, 2.5), "ef-64": answering(2, 0.0), "masks": answering(8, -0.03, task="segmentation")}
    return found | {"ef-16-small": answering(1, 2.0)}


def test_ten_answers_are_corrected_as_one_family_whatever_their_part(parts):
    told = answers(parts)
    assert [one.number for one in told] == list(range(1, 11))
    assert {one.number: one.answer for one in told if one.answer != "not measured"} == {
        1: "yes",
        2: "not shown",
        8: "no",
    }
    cells = [one.asked.contrast for one in told if one.asked]
    assert [cell.tests for cell in cells] == [2, 2, None], "of the first net alone, and only what has a p"
    assert all(cell.p_holm >= cell.p for cell in cells[:2])
    assert told[0].again == parts["ef-16-small"].contrast(PAIR, "mae")
    assert told[1].again is None


def test_the_verdict_is_three_sentences_that_follow_from_the_answers(parts):
    helps, against, where = verdict(answers(parts), parts)
    assert helps == "Shown to help, of 10 questions asked before the run: 1 (synthetic against real)."
    assert against.startswith("Shown to do harm: 8 (synthetic against real); not shown: 2")
    assert "not measured: 3, 4, 5" in against
    assert "real patients were not tried" in where
    assert "none." in verdict(answers({"ef-64": parts["ef-64"]}), parts)[0]


def test_a_no_is_told_with_the_control_that_shows_why(parts):
    arms = {"real": 0.0, "classical_strong": -1.0, "oracle+classical_strong": -4.0}
    more = whole([level(16, 1.0, arms)])
    second = answers(parts)[1]
    [line] = why(second, {**parts, "ef-16-more": more})
    assert line.startswith("2: exact counterfactuals at 16 labels: -")
    assert line.endswith("smaller error")
    assert why(second, parts) == [], "a control that was not run says nothing"


def test_parts_are_read_from_their_folders(tmp_path, parts):
    with pytest.raises(EchoAugmentError, match=r"has no report\.json in ef-16"):
        read_parts(tmp_path)
    (tmp_path / "ef-16").mkdir()
    (tmp_path / "ef-16" / "report.json").write_text(json.dumps(parts["ef-16"].to_json()))
    assert read_parts(tmp_path)["ef-16"].primary == parts["ef-16"].primary
    assert len(set(PARTS.values())) == len(PARTS)


def test_the_page_reads_what_make_protocol_runs():
    makefile = (Path(__file__).parents[3] / "Makefile").read_text(encoding="utf-8")
    (line,) = [line for line in makefile.splitlines() if line.startswith("PARTS := ")]
    assert dict(part.split(":") for part in line.removeprefix("PARTS := ").split()) == PARTS


SMALL_RUN = ["data.n=18", "data.splits=[0.4,0.1,0.5]", "data.recording=fixed", "+data.frames=40", "labels=[3]"]
SMALL_RUN += ["trainer.steps=2", "seeds=[0,1,2]", "test.B=null", "generator.seeds=[0,1]"]


@pytest.mark.slow
def test_the_protocol_at_its_smallest_from_tuning_to_the_page(tmp_path, monkeypatch):
    """Two parts on one set of hearts, tuned once, then one on another scanner; the figures have no meaning."""
    weights = str(tmp_path / "generators-21" / "generator-seed0" / "generator")
    for module in (caches, tuning):
        monkeypatch.setattr(module, "own_generator", lambda *_: weights)
    first = "primary=[{number:1,question:Q,pair:synthetic+classical_strong-classical_strong,labels:3}]"
    last = first.replace("number:1", "number:10")
    few = "arm=[real,classical_strong,synthetic+classical_strong]"
    runs = {
        "ef-16": ["experiment=protocol_16", "arm=[real,classical_strong,synthetic,synthetic+classical_strong]", first],
        "ef-16-small": ["experiment=protocol_16_small", "model=tiny", few],
        "shift": ["experiment=protocol_shift", few, last, "test.A=null", f"tune.of=[{tmp_path / 'ef-16'}]"],
    }
    done = {}
    for name, given in runs.items():
        settings = configure(*given, *SMALL_RUN, f"out={tmp_path / name}")
        if settings.tune.grid:
            grid = {arm: settings.tune.grid[arm] for arm in ("classical_strong", "synthetic")}
            for one in grid.values():
                one.values = one.values[:2]
            data = {**settings.tune.data, "n": 18, "splits": [0.4, 0.1, 0.5]}
            settings = replace(settings, tune=replace(settings.tune, grid=grid, data=data, seeds=[0]))
        done[name] = run_benchmark(settings, "benchmark", load)
    tuned = done["ef-16"].tuning
    assert [one.arm for one in tuned] == ["classical_strong", "synthetic"]
    assert [(one.arm, one.taken_from) for one in done["shift"].tuning] == [
        (one.arm, str(tmp_path / "ef-16")) for one in tuned
    ]
    text = write(tmp_path, tmp_path / "docs").read_text()
    assert text.splitlines()[2].startswith("**Shown to help, of 10 questions")
    assert "| 2 | not measured |" in text and "2 generators, dealt to the seeds" in text
    assert "the same nets, noisy labels" in text
    told = json.loads((tmp_path / "docs" / "phantom.json").read_text())
    assert [one["number"] for one in told["answers"] if one["answer"] != "not measured"] in ([1, 10], [1], [10], [])
