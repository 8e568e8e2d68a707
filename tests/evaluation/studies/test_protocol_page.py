"""The page of the protocol's run."""

import json
from dataclasses import replace

from fakes.report import answering

from echo_augment.evaluation.report.content import ClipsMade, TunedValue, Tuning
from echo_augment.evaluation.studies import protocol_page
from echo_augment.evaluation.studies.protocol_page import NO_DIFFUSION, write

TUNED = Tuning(
    arm="synthetic",
    key="p",
    also=(),
    values=(
        TunedValue(value="0.25", figure=8.0, per_seed=(8.0,)),
        TunedValue(value="0.5", figure=7.0, per_seed=(7.0,)),
    ),
    chosen="0.5",
    setting=0.5,
    labelled=16,
    seeds=(0,),
    videos=240,
    data="x",
)
OURS = ClipsMade(kind="synthetic", generator="own", seed=0, sampler="ddim-4", features="MAFE's flow")


def written(folder, found):
    for name, report in found.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "report.json").write_text(json.dumps(report.to_json()))
    return folder


def test_the_page_begins_with_the_verdict_and_has_answers_grids_clips_costs_and_limits(tmp_path):
    one = replace(answering(1, 2.5), tuning=(TUNED,), made=(OURS, replace(OURS, seed=1)))
    found = {"ef-16": one, "masks": answering(8, 0.03, task="segmentation"), "ef-16-small": answering(1, 2.0)}
    text = write(written(tmp_path / "runs", found), tmp_path / "docs").read_text()
    first = text.splitlines()[2]
    assert first.startswith("**Shown to help, of 10 questions asked before the run: 1 (synthetic against real), 8")
    assert first.count("2 generators") == 0
    for words in ("| 1. Does it? | yes |", "| 10 | not measured |", "exploratory", "0.25: 8.00, 0.5: 7.00"):
        assert words in text, words
    for words in (
        "4 denoising steps (ddim); motion: MAFE's flow; 2 generators, dealt to the seeds. (ef-16)",
        "make protocol",
    ):
        assert words in text, words
    for words in (
        "## What it cost",
        "nothing here was run on real patients",
        "[history.md](history.md)",
        "EF below 40",
    ):
        assert words in text, words
    assert (tmp_path / "docs" / "figures" / "ef-16-16.png").stat().st_size > 2000
    assert NO_DIFFUSION not in text
    kept = json.loads((tmp_path / "docs" / "phantom.json").read_text())
    assert kept["counts"] == {"yes": 2, "no": 0, "not shown": 0, "not measured": 8}
    assert kept["answers"][0]["answer"] == "yes"


def test_if_nothing_helped_the_page_says_so_first(tmp_path):
    text = write(written(tmp_path / "runs", {"ef-64": answering(2, 0.0)}), tmp_path / "docs").read_text()
    assert text.index(NO_DIFFUSION) < text.index("| 1 | not measured")


def test_without_reports_the_command_says_how_to_make_them(tmp_path, capsys):
    assert protocol_page.main([str(tmp_path), str(tmp_path)]) == 1
    assert "make protocol" in capsys.readouterr().err
