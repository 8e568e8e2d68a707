"""Results as JSON and back: keys, defaults, what is undefined, records inside records."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.generator import SkippedDonor
from echo_augment.evaluation.statistics.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner(Record):
    """A figure with an interval."""

    mean: float
    ci: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer(Record):
    """All kinds of fields."""

    name: str
    videos: int = field(metadata={"key": "hearts"})
    arms: Mapping[str, Inner]
    first: Inner | None
    rows: tuple[Inner, ...] = ()
    pairs: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = field(default_factory=tuple)
    skipped: tuple[SkippedDonor, ...] = ()


FULL = Outer(
    name="x",
    videos=3,
    arms={"real": Inner(mean=1.0), "oracle": Inner(mean=2.0, ci=(1.0, 3.0))},
    first=Inner(mean=4.0),
    rows=(Inner(mean=5.0, ci=(4.0, 6.0)),),
    pairs=(("a", 1), ("b", 2)),
    notes=("note",),
    skipped=(SkippedDonor("v", "cut short"),),
)


def test_what_is_written_is_what_is_read():
    assert Outer.from_json(json.loads(json.dumps(FULL.to_json()))) == FULL


def test_keys_are_names_or_what_the_field_says_and_defaults_are_left_out():
    bare = Outer(name="x", videos=3, arms={}, first=None)
    assert bare.to_json() == {"name": "x", "hearts": 3, "arms": {}, "first": None}
    assert list(FULL.to_json()) == ["name", "hearts", "arms", "first", "rows", "pairs", "notes", "skipped"]
    assert FULL.to_json()["arms"] == {"real": {"mean": 1.0}, "oracle": {"mean": 2.0, "ci": [1.0, 3.0]}}
    assert FULL.to_json()["skipped"] == [{"name": "v", "reason": "cut short"}], "a dataclass of a lower floor"


def test_what_is_undefined_is_null_there_and_nan_here():
    for value in (math.nan, math.inf):
        plain = Inner(mean=value, ci=(value, 1.0)).to_json()
        assert plain == {"mean": None, "ci": [None, 1.0]}
        back = Inner.from_json(plain)
        assert math.isnan(back.mean) and math.isnan(back.ci[0]) and back.ci[1] == 1.0


def test_a_key_of_a_later_version_is_ignored_and_a_missing_one_is_named():
    assert Inner.from_json({"mean": 2.0, "later": 1}) == Inner(mean=2.0)
    with pytest.raises(EchoAugmentError, match=r"lacks mean \(Inner\)"):
        Inner.from_json({"ci": None})
    with pytest.raises(EchoAugmentError, match=r"lacks hearts, first \(Outer\)"):
        Outer.from_json({"name": "x", "arms": {}, "videos": 3})
    with pytest.raises(EchoAugmentError, match=r"lacks mean \(Inner\)"):
        Outer.from_json({"name": "x", "hearts": 3, "arms": {"real": {}}, "first": None})
