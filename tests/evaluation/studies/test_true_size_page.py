"""The document of the true-size run says which steps ended, what they took, and whether that is within the bound."""

from dataclasses import replace

import pytest

from echo_augment.evaluation.studies.true_size_page import StepFigures, made_of, read_page, verdict, write_page
from echo_augment.evaluation.studies.watching import Watched

DONE = Watched(seconds=120.0, memory=2_000_000_000, resident=5_000_000_000, starts=1, done=True)


def step(name, watched):
    return StepFigures(name=name, what=f"does {name}", watched=watched, disk=3_000_000_000 if watched.done else 0)


STEPS = [step("pack", DONE), step("labels", replace(DONE, starts=3)), step("test", Watched())]


def test_the_answer_counts_what_ended_and_names_the_rest():
    assert verdict(STEPS) == (
        "2 of 3 steps ended, in 4 minutes together; not `test`. The most memory: 2.00 GB (`pack`), within the bound."
    )
    large = replace(DONE, memory=6_100_000_000, done=False)
    assert "6.10 GB (`fill`), above the bound" in verdict([*STEPS, step("fill", large)])
    assert verdict([step("test", Watched())]) == "Nothing was run."


@pytest.mark.parametrize(
    ("watched", "words"),
    [
        (DONE, "yes"),
        (replace(DONE, starts=3), "after 3 starts"),
        (replace(DONE, done=False), "no: stopped"),
        (Watched(), "not begun"),
    ],
)
def test_a_step_says_how_it_ended(watched, words):
    assert step("x", watched).ended == words and step("x", watched).cells()[-1] == words


def test_a_stopped_step_says_how_far_it_came():
    stopped = replace(step("x", replace(DONE, done=False)), last="prepare: 320 of 7,465 videos")
    assert stopped.cells()[-1] == "no; stopped at: prepare: 320 of 7,465 videos"


def test_the_document_has_a_line_a_step_and_its_json_the_same(tmp_path):
    page = write_page(tmp_path, STEPS, 10_030, {"videos": 6.0, "at most": 24.0}).read_text()
    assert "| `pack` | does pack | 2.0 | 2.00 | 5.00 | 3.00 | yes |" in page
    assert "| `test` | does test |  |  |  |  | not begun |" in page
    assert "EchoNet-Dynamic's size" in page and "videos 6.0, at most 24.0" in page
    assert read_page(tmp_path) == STEPS
    assert "still counted for each process, so at most that: `pack`, `labels`." in page
    once = [step("pack", replace(DONE, shared_once=True)), step("test", Watched())]
    assert "still counted" not in write_page(tmp_path / "once", once, 10_030, {"at most": 24.0}).read_text()
    small = write_page(tmp_path, STEPS, 128, {"at most": 0.3}).read_text()
    assert "# The jobs at 128 videos" in small, "a small run does not claim the size"


def test_the_set_is_told_by_its_figures():
    text = made_of(10_030)
    assert text.startswith("10,030 videos (TRAIN 7,465, VAL 1,288, TEST 1,277), 28 to 1,002 frames (1.79 million")
    assert "18 to 138 frames per second, 79% of them at 50" in text
