"""The report in a real browser, at desktop and phone width; its pages without any training."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest
from fakes.report import level, predicted, whole

from echo_augment.evaluation.report.content import BenchmarkReport, Published, SweepRow
from echo_augment.evaluation.report.ef_report import arm_table, clinical_table, heading, range_table
from echo_augment.evaluation.report.pages import Picture, Section, Words, html, markdown, write_pages
from echo_augment.evaluation.report.plots import plot_sweep
from echo_augment.evaluation.report.sections import agreement, arms_sections, command, run_table
from echo_augment.evaluation.report.tables import Table
from echo_augment.evaluation.report.verdict import EF_ERROR, verdict
from echo_augment.evaluation.statistics.results import Contrast

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
def report() -> BenchmarkReport:
    levels = [level(16, 1.0), level(64, 0.05)]
    published = (Published(name="a paper | of ours", mae={"16": 6.04}),)
    return replace(whole(levels, verdict=verdict(levels[0])), published=published)


def row(p: float) -> SweepRow:
    cell = Contrast(diff=-p, ci=(-p - 1, -p + 1), p=0.5, detectable=None)
    figures = {"label_fraction": 0.1, "labelled": 16, "arms": {}, "recovered_gain": None, "fingerprint": ""}
    return SweepRow(value=str(p), contrasts={"synthetic-real": cell}, **figures)


@pytest.fixture(scope="module")
def sections(report) -> list[Section]:
    table = predicted(16, 1.0)
    sweep = Picture("d", plot_sweep([row(0.25), row(0.5)], ["synthetic"], "p"), "sweep")
    return [
        heading(report),
        *arms_sections(report, arm_table(report, report.level), EF_ERROR, "Labels"),
        *agreement(table),
        Section("Reduced EF", [clinical_table(report), range_table(report)]),
        Section("Sweep", [sweep]),
        Section("What was run", [run_table(report), Words(command(report), "code")]),
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


def test_markdown_and_page_have_the_same_words_and_escape_them(sections, tmp_path):
    page, text = write_pages(tmp_path, sections)
    assert "a paper \\| of ours" in text.read_text()
    assert text.read_text().startswith("# Does the augmentation help?")
    assert (tmp_path / "figures" / "bland_altman.png").read_bytes()[:4] == b"\x89PNG"
    assert "labels='[16,64]'" not in page.read_text()
    assert "'data.root=/data/phantoms of ours'" in text.read_text()
    nasty = [Section("<b>", [Words("<script>", "caveat"), Table(["<i>"], [["a&b"]])])]
    assert "<script>" not in html(nasty) and "a&amp;b" in html(nasty)
    assert markdown(nasty).splitlines()[:3] == ["# <b>", "", "<script>"]


def test_the_page_stands_alone(sections):
    assert not re.search(r"(src|href)=['\"](?!data:)", html(sections))
    assert Path("report.css").suffix == ".css" and "@media" in html(sections)
