"""Every complaint names the argument, the value and the range."""

import numpy as np
import pytest

from echo_augment.cache.arguments import check_choice, check_number, check_seed, check_share, check_whole, nearest
from echo_augment.cache.errors import EchoAugmentError


@pytest.mark.parametrize("value", [0, 7, np.int64(3), np.uint8(2)])
def test_a_seed_is_returned_as_an_int(value):
    assert check_seed(value) == int(value) and type(check_seed(value)) is int


@pytest.mark.parametrize("value", [-1, 0.0, True, "0", None, np.float32(1)])
def test_what_is_no_seed_is_refused_with_its_value(value):
    with pytest.raises(EchoAugmentError, match="seed must be a whole number of at least 0, got"):
        check_seed(value)


@pytest.mark.parametrize(("value", "low", "high", "said"), [
    (0, 1, None, "n must be a whole number of at least 1, got 0"),
    (9, 1, 8, "n must be a whole number from 1 to 8, got 9"),
    (2.0, 1, 8, "got 2.0"),
    (False, 0, None, "got False"),
])  # fmt: skip
def test_a_whole_number_has_a_range(value, low, high, said):
    with pytest.raises(EchoAugmentError) as error:
        check_whole("n", value, low, high)
    assert said in str(error.value)


def test_ends_of_ranges():
    assert check_number("x", 0, 0, 1) == 0.0 and check_number("x", np.float32(1), 0, 1) == 1.0
    with pytest.raises(EchoAugmentError, match=r"x must be in \(0, 1\] EF points, got 0"):
        check_number("x", 0, 0, 1, above_low=True, unit="EF points")
    with pytest.raises(EchoAugmentError, match="x must be above 0, got 0"):
        check_number("x", 0, 0, above_low=True)
    with pytest.raises(EchoAugmentError, match="x must be a number, got nan"):
        check_number("x", float("nan"))
    with pytest.raises(EchoAugmentError, match=r"p must be in \[0, 1\], got 1.3"):
        check_share("p", 1.3)


def test_a_choice_names_the_nearest():
    assert check_choice("balance", "natural", ("natural", "uniform")) == "natural"
    with pytest.raises(EchoAugmentError) as error:
        check_choice("balance", "unifrom", ("natural", "uniform"))
    assert "must be one of natural, uniform, got 'unifrom'" in str(error.value) and "uniform?" in str(error.value)
    assert nearest("xyz", ("natural", "uniform")) is None
