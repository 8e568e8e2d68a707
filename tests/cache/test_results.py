"""Results are plain JSON under their published keys, and come back from it as they were."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from echo_augment.cache import Damage, FillSummary
from echo_augment.cache.results import CacheInfo, LabelFigures, PlanProgress, Repair

SUMMARY = FillSummary(Path("cache/dynamic"), 10, 8, 3, {"label": 2}, 4.0, 2_000_000, "abc")
PLAN = PlanProgress(wanted=10, sealed=8, settings={"n": 10, "balance": "natural"})
INFO = CacheInfo(
    clips=8,
    shards=1,
    bytes=2_000_000,
    shapes=((16, 112, 112),),
    kind="synthetic",
    fingerprint="abc",
    ef=LabelFigures(labelled=8, mean=55.0, min=20.0, max=70.0),
    plan=PLAN,
)


@pytest.mark.parametrize(
    "result", [SUMMARY, INFO, replace(INFO, ef=LabelFigures(labelled=0), plan=None), Damage("a.h5", "c1", "torn")]
)
def test_a_result_comes_back_from_its_json(result):
    assert type(result).from_json(json.loads(json.dumps(result.to_json()))) == result


def test_the_published_keys():
    assert {"folder", "wanted", "sealed", "made", "rejected", "seconds", "size", "fingerprint", "complete"} == set(
        SUMMARY.to_json()
    )
    assert INFO.to_json()["ef"] == {"labelled": 8, "mean": 55.0, "min": 20.0, "max": 70.0}
    assert INFO.to_json()["plan"] == {"wanted": 10, "sealed": 8, "n": 10, "balance": "natural"}
    unplanned = replace(INFO, ef=LabelFigures(labelled=0), plan=None).to_json()
    assert unplanned["ef"] == {"labelled": 0} and "plan" not in unplanned


def test_a_repair_tells_what_was_lost():
    lost = (Damage("a.h5", "c1", "clip c1 is torn"), Damage("a.h5", "", "its table is torn"))
    found = Repair(("a.h5",), 4, lost).to_json()
    assert found["lost"] == ["c1"] and found["damage"] == ["clip c1 is torn", "its table is torn"]


def test_a_summary_says_in_words_whether_the_plan_is_done():
    text = str(SUMMARY)
    assert text.startswith("8 of 10 clips in cache") and "refused: 2 label" in text and text.endswith("is used up")
    assert not str(replace(SUMMARY, sealed=10)).endswith("is used up")
