"""The report in a real browser, at desktop and phone width; its pages without any training."""

import json
import re
import shutil
import subprocess
from html import escape
from pathlib import Path

import pytest
from fakes.report import simulated, whole

from echo_augment.evaluation.report.ef_report import heading
from echo_augment.evaluation.report.pages import Picture, Section, Words, html, markdown, write_pages
from echo_augment.evaluation.report.plots import plot_arms, plot_bland_altman, plot_dose, plot_labels, plot_scatter
from echo_augment.evaluation.report.tables import (
    Table,
    arm_table,
    clinical_table,
    command,
    contrast_table,
    fraction_table,
    range_table,
    run_table,
)
from echo_augment.evaluation.report.verdict import fraction_words, verdict

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LOOK = """
<body style="margin:0"><iframe id="f" style="border:0;width:{width}px;height:900px" srcdoc="{page}"></iframe><script>
document.getElementById("f").onload = () => {{
  const d = document.getElementById("f").contentDocument, box = d.querySelector(".verdict").getBoundingClientRect();
  const pictures = [...d.images], broken = pictures.filter(i => !i.naturalWidth).length;
  document.title = JSON.stringify({{
    wide: d.documentElement.scrollWidth, pictures: pictures.length, broken: broken,
    top: box.top, bottom: box.bottom, font: parseFloat(getComputedStyle(d.querySelector(".verdict")).fontSize),
    cut: [...d.querySelectorAll("p, h1, h2, li")].filter(e => e.scrollWidth > e.clientWidth + 1).length}});
}};
</script></body>"""


@pytest.fixture(scope="module")
def report() -> tuple:
    true, found, first = simulated(16, 1.0)
    figures = whole([first, simulated(64, 0.05)[2]])
    figures["published"] = [{"name": "a paper | of ours", "mae": {"16": 6.04}}]
    return true, found, {**figures, "verdict": verdict(figures)}


@pytest.fixture(scope="module")
def sections(report) -> list[Section]:
    true, found, figures = report
    doses = [(str(p), {"synthetic": {"diff": -p, "ci": [-p - 1, -p + 1]}}) for p in (0.25, 0.5)]
    return [
        heading(figures),
        Section("Every arm", [Picture("arms", plot_arms(figures["arms"]), "arms"), arm_table(figures)]),
        Section("The differences", [contrast_table(figures)]),
        Section("Labels", [Picture("l", plot_labels(figures["fractions"]), "labels"), fraction_table(figures)]),
        Section("Scatter", [Picture("s", plot_scatter(true, found), "scatter")]),
        Section("Agreement", [Picture("b", plot_bland_altman(true, found), "agreement")]),
        Section("Reduced EF", [clinical_table(figures), range_table(figures)]),
        Section("Dose", [Picture("d", plot_dose(doses, ["synthetic"], "p"), "dose")]),
        Section("What was run", [run_table(figures), Words(command(figures), "code")]),
    ]


@pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome here")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_the_whole_page(sections, tmp_path, width):
    host = tmp_path / "host.html"
    host.write_text(LOOK.format(width=width, page=escape(html(sections), quote=True)), encoding="utf-8")
    words = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    words += ["--virtual-time-budget=10000", "--timeout=60000", "--window-size=1400,1000", "--dump-dom", host.as_uri()]
    dom = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True).stdout
    seen = json.loads(re.search(r"<title>(.*?)</title>", dom).group(1))
    assert seen["wide"] <= width, "the page scrolls sideways"
    assert (seen["pictures"], seen["broken"], seen["cut"]) == (5, 0, 0)
    assert seen["font"] >= 16
    assert 0 < seen["top"] < seen["bottom"] < 600, "the verdict is on the first screen"


def test_no_difference_stands_beside_what_would_have_been_found(report):
    _, _, figures = report
    small = figures["fractions"][1]
    table = contrast_table({**figures, **small})
    row = next(row for row in table.rows if row[0] == "synthetic against real")
    assert re.fullmatch(r"no difference shown; \d+\.\d would have been found", row[-1])
    assert "p (Holm)" in table.header
    lines = fraction_words(figures)
    assert re.fullmatch(r"16 labelled hearts: -1\.\d\d EF points \(-\d\.\d\d to -\d\.\d\d\): smaller error", lines[0])
    assert "64 labelled hearts" in lines[1] and "no difference shown" in lines[1]


def test_published_rows_stand_beside_ours_and_say_what_they_are_not(report):
    table = fraction_table(report[2])
    assert table.rows[-1] == ["published: a paper | of ours", "6.04", "–"]
    assert "not part of any test" in table.notes[0]
    assert "not the published table's data" in table.notes[1]


def test_markdown_and_page_have_the_same_words_and_escape_them(sections, tmp_path):
    page, text = write_pages(tmp_path, sections)
    assert "a paper \\| of ours" in text.read_text()
    assert text.read_text().startswith("# Does the augmentation help?")
    assert (tmp_path / "figures" / "b.png").read_bytes()[:4] == b"\x89PNG"
    assert "labels='[16,64]'" not in page.read_text()
    assert "'data.root=/data/phantoms of ours'" in text.read_text()
    nasty = [Section("<b>", [Words("<script>", "caveat"), Table(["<i>"], [["a&b"]])])]
    assert "<script>" not in html(nasty) and "a&amp;b" in html(nasty)
    assert markdown(nasty).splitlines()[:3] == ["# <b>", "", "<script>"]


def test_the_command_is_the_one_that_was_typed(report):
    typed = {**report[2], "overrides": ["labels=[16,64]", "out=my runs"]}
    assert command(typed) == "echo-augment benchmark 'labels=[16,64]' 'out=my runs'"


def test_the_page_stands_alone(sections):
    assert not re.search(r"(src|href)=['\"](?!data:)", html(sections))
    assert Path("report.css").suffix == ".css" and "@media" in html(sections)
