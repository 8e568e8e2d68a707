"""The README is short, tells no figure that is not in a committed file, and keeps its caveat word for word."""

import json
import re

from fakes.pages import ROOT

from echo_augment.augmentor.mcdm import MCDMPipeline
from echo_augment.evaluation.studies.front_page import FIGURES, PICTURE, Results, clips_sentence, results

PAGE = (ROOT / "README.md").read_text("utf-8")
CAVEAT = (
    "> Everything measured here was measured on **phantoms**, procedural hearts whose true answer is known. Nothing "
    "here was ever\n> run on the real EchoNet-Dynamic. It is made so that you can run it there. Not a medical device.\n"
)
MOST_LINES, MOST_WORDS, MOST_BYTES = 120, 900, 1_500_000


def part(name: str, page: str = PAGE) -> str:
    """What stands between the comments of this name."""
    found = re.findall(rf"<!-- --8<-- \[start:{name}\] -->\n(.*?)<!-- --8<-- \[end:{name}\] -->", page, re.DOTALL)
    assert len(found) == 1
    return found[0]


def figures(page: str) -> set[str]:
    """Numbers that stand outside code, links and the parts that tests hold equal to something."""
    for name in ("clips", "results"):
        page = page.replace(part(name, page), "")
    page = re.sub(
        r"<!--.*?-->|^```.*?^```|`[^`\n]*`|\]\([^)]*\)|https?://\S+", "", page, flags=re.DOTALL | re.MULTILINE
    )
    return set(re.findall(r"\d[\d.,]*\d|\d", page))


def test_it_is_short():
    assert len(PAGE.splitlines()) <= MOST_LINES and len(PAGE.split()) <= MOST_WORDS


def test_the_caveat_stands_on_top_word_for_word():
    assert part("caveat") == CAVEAT
    assert PAGE.index(CAVEAT) < 1_000 and PAGE.index(CAVEAT) < PAGE.index("\n## ")


def test_its_first_screen_says_what_makes_the_default_clips():
    assert part("clips").strip() == clips_sentence(MCDMPipeline.load("bundled")), (
        "python -m echo_augment.evaluation.studies.front_page . writes it anew"
    )
    assert PAGE.index("[start:clips]") < PAGE.index("\n## ")


def test_its_figures_are_those_of_the_json():
    found = Results.from_json(json.loads((ROOT / FIGURES).read_text("utf-8")))
    assert part("results").strip() == results(found)
    assert {"real", "classical", "synthetic", "oracle"} <= set(found.arms)


def test_it_has_no_other_figure():
    versions = {"3.11", "2512.09418", "2303.00440", "2406.00808", "2.0", "2020"}
    assert figures(PAGE) <= versions
    assert "7.5" in figures(PAGE + "\nmade 7.5 times as fast\n")


def test_its_test_command_is_the_one_that_ci_calls():
    assert "\nmake test " in PAGE and "\nmake demo " in PAGE
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_the_picture_is_there_and_small():
    assert f"]({PICTURE.as_posix()})" in PAGE and "*Phantoms, not patients" in PAGE
    assert 100_000 < (ROOT / PICTURE).stat().st_size < MOST_BYTES
    assert (ROOT / PICTURE).read_bytes().startswith(b"GIF89a")
