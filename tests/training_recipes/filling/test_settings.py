"""Settings of a fill: what is off by default, and what cannot be."""

import pytest
from fakes.fill import settings

from echo_augment.cache import EchoAugmentError


def test_the_gates_that_need_more_are_off_by_default():
    gates = settings().gates
    assert gates.image and not gates.label.on and not gates.privacy.on


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["gates.label.teacher=t", "gates.label.tolerance=-3"], r"\(0, 100\] EF points, got -3"),
        (["gates.label.teacher=t", "gates.label.quantile=0"], r"quantile must be in \(0, 1\], got 0"),
        (["gates.label.by=nurse"], "teacher, masks, got 'nurse'"),
        (["gates.label.tolerance=5"], "there is no teacher"),
        (["gates.label.by=masks"], "tolerance=NUMBER"),
        (["gates.label.by=masks", "gates.label.tolerance=5", "gates.label.teacher=t"], "uses no teacher"),
        (["gates.privacy.against=others", "gates.privacy.threshold=1.2"], r"\[-1, 1\], got 1.2"),
        (["gates.privacy.against=everyone"], "others, all, got 'everyone'"),
        (["gates.privacy.threshold=0.5"], "the gate is off"),
        (["gates.privacy.against=all", "gates.privacy.quantile=1.5"], r"got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_value(overrides, text):
    with pytest.raises(EchoAugmentError, match=text):
        settings(*overrides)
