"""The pages of an EF benchmark: every arm in every table, and what the clips look like if there are any."""

from dataclasses import replace

import pytest
from fakes.cache import write_clips
from fakes.echo import make_clip
from fakes.report import ARMS, level, predicted, whole

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.cache import Provenance
from echo_augment.evaluation.report.content import BenchmarkReport
from echo_augment.evaluation.report.ef_report import (
    arm_table,
    clinical_table,
    heading,
    range_table,
    write_ef_report,
)
from echo_augment.evaluation.report.pages import Words
from echo_augment.evaluation.report.verdict import verdict
from echo_augment.evaluation.statistics.results import ArmFigures


@pytest.fixture(scope="module")
def report() -> BenchmarkReport:
    levels = [level(16, 1.0), level(64, 0.05)]
    return whole(levels, verdict=verdict(levels[0]))


def test_every_arm_has_its_row_in_every_table(report):
    for table in (arm_table(report, 0.9), clinical_table(report), range_table(report)):
        assert [row[0] for row in table.rows] == list(ARMS)
        assert all(len(row) == len(table.header) for row in table.rows)
    found = report.arms["real"]["mae"]
    first = arm_table(report, 0.9)
    assert first.rows[0][1] == f"{found.mean:.2f}" and "90 %" in first.header[2]


def test_ranges_count_their_videos(report):
    header = range_table(report).header
    counts = [part.videos for part in report.arms["real"].by_range]
    assert [int(title.split("(")[1].split()[0]) for title in header[1:]] == counts and sum(counts) == 80
    one = tuple(replace(part, videos=1) for part in report.arms["real"].by_range)
    alone = replace(report, arms={"real": replace(report.arms["real"], by_range=one)})
    assert all(title.endswith("(1 video)") for title in range_table(alone).header[1:])


def test_what_is_undefined_is_a_dash(report):
    bare = ArmFigures(
        figures={name: report.arms["real"][name] for name in ("mae", "rmse", "r2", "auroc_50", "auroc_40")}
    )
    found = replace(report, arms={"real": report.arms["real"], "bare": bare})
    assert clinical_table(found).rows[1][3:] == ["–", "–", "–"]
    assert set(range_table(found).rows[1][1:]) == {"–"}


def test_the_heading_tells_each_number_of_labels(report):
    parts = heading(report).parts
    assert parts[1].kind == "verdict helped"
    lines = [part for part in parts if isinstance(part, Words) and part.kind == "list"][-1].text.splitlines()
    assert len(lines) == 2 and "16" in lines[0] and "64" in lines[1]
    assert sum(part.kind == "list" for part in heading(whole([level(16, 1.0)])).parts) == 1, "its first lines"


def test_a_report_without_clips_has_no_pictures_of_them(report, root, tmp_path):
    page = write_ef_report(tmp_path, report, predicted(16, 1.0), find_files(root), None)
    assert page == tmp_path / "report.html" and not (tmp_path / "contact_sheet.png").exists()
    text = (tmp_path / "report.md").read_text()
    assert "What the clips look like" not in text
    for title in ("Every arm", "The differences", "Error against labels", "Agreement", "Reduced EF", "What was run"):
        assert f"## {title}" in text


def test_clips_are_shown_beside_their_donors_and_the_exact_counterfactual(report, root, tmp_path):
    names = [row.name for row in read_table(root).split("train")]
    clips = [
        make_clip(k, side=112, provenance=Provenance(names[k], names[k + 1], k, fingerprint="f")) for k in range(3)
    ]
    write_clips(tmp_path / "cache", clips, fingerprint="f")
    write_ef_report(tmp_path, report, predicted(16, 1.0), find_files(root), tmp_path / "cache")
    text = (tmp_path / "report.md").read_text()
    assert "## What the clips look like" in text and "Last: the exact counterfactual" in text
    assert (tmp_path / "contact_sheet.png").read_bytes()[:4] == b"\x89PNG"
    assert len(list((tmp_path / "figures").iterdir())) >= 6
