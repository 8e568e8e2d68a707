"""Plans hold values in their ranges; sources tell themselves apart; outcomes survive the journal."""

import json

import pytest

from echo_augment.augmentor.data.importers.records import ImportPlan, Left, Outcome, Source
from echo_augment.cache.errors import EchoAugmentError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "tape"}, "from must be one of dicom, video, camus, got 'tape'"),
        ({"colour": "keep"}, "colour must be one of refuse, drop_box, got 'keep'"),
        ({"image_size": 8}, "size .* got 8"),
        ({"beat_seconds": -1.0}, "beat_seconds .* got -1"),
        ({"fps": 0.0}, "fps .* got 0"),
        ({"region": (5, 5, 5, 9)}, r"region must be \[x0, y0, x1, y1\] with x0 < x1, y0 < y1, got \[5, 5, 5, 9\]"),
        ({"region": (-1, 0, 5, 9)}, "region must be"),
        ({"views": ("3CH",)}, "views must be one of 2CH, 4CH, got '3CH'"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(EchoAugmentError, match=message):
        ImportPlan(**{"source": "dicom"} | settings)


def test_sources_of_one_import_are_told_apart_by_their_place_and_view(tmp_path):
    assert Source(tmp_path / "a" / "b.dcm", tmp_path).relative == "a/b.dcm"
    assert Source(tmp_path / "p1", tmp_path, "4CH").relative == "p1:4CH"
    assert Source(tmp_path / "b.dcm", tmp_path / "b.dcm").relative == "b.dcm", "a file that was named itself"


def test_a_reason_has_a_kind_and_a_remedy():
    left = Left("a single frame", "single frame", "Export the cine")
    assert isinstance(left, EchoAugmentError) and left.kind == "single frame" and left.remedy == "Export the cine"
    assert "a single frame" in str(left) and "Export the cine" in str(left)


def test_an_outcome_survives_the_journal_and_a_newer_ones_keys_are_passed_over():
    outcome = Outcome(source="S1", name="C1", keys=["k"], notes=["n"], ef=55.5, tracings={"3": [[1.0, 2.0, 3.0, 4.0]]})
    line = json.loads(json.dumps(outcome.to_json()))
    assert Outcome.from_json(line) == outcome
    assert Outcome.from_json(line | {"of_a_later_version": 1}) == outcome
    older = {"source": "S1", "name": "C1"}
    assert Outcome.from_json(older) == Outcome(source="S1", name="C1")


def test_outcomes_do_not_share_their_lists():
    first, second = Outcome(source="a"), Outcome(source="b")
    first.notes.append("mine")
    assert second.notes == []
