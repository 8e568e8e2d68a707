"""An appearance within its ranges, as JSON, and the long axis that it draws."""

from dataclasses import replace

import pytest

from echo_augment.augmentor.data.phantom import Appearance, sample_phantom
from echo_augment.cache.errors import EchoAugmentError

VIEW = sample_phantom(4).appearance


@pytest.mark.parametrize("name", Appearance.RANGES)
def test_each_range_holds_its_ends_and_nothing_beyond(name: str):
    low, high = Appearance.RANGES[name]
    for inside in (low, high):
        assert getattr(replace(VIEW, **{name: inside}), name) == inside
    for outside in (low - 0.01, high + 0.01, float("nan")):
        with pytest.raises(EchoAugmentError, match=rf"appearance\.{name} must be .*{outside}"):
            replace(VIEW, **{name: outside})


def test_the_drawn_axis_is_what_foreshortening_leaves():
    assert replace(VIEW, lv_length=60.0, foreshortening=0.0).ed_length == 60
    assert replace(VIEW, lv_length=60.0, foreshortening=0.25).ed_length == pytest.approx(45)


def test_json_gives_the_appearance_back_and_nothing_less():
    values = VIEW.to_json()
    assert Appearance.from_json(values) == VIEW
    with pytest.raises(EchoAugmentError, match="appearance: fields tilt are unknown or missing"):
        Appearance.from_json({name: value for name, value in values.items() if name != "tilt"})
    with pytest.raises(EchoAugmentError, match=r"appearance: expected an object, got \[\]"):
        Appearance.from_json([])
