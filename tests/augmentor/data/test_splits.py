"""Splits in the forms of real copies: words in any case, fold numbers, lists."""

import pytest

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.splits import parse_split, split_filter
from echo_augment.cache.errors import EchoAugmentError


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("train", ("TRAIN", None)),
        (" Val ", ("VAL", None)),
        ("validation", ("VAL", None)),
        ("TEST", ("TEST", None)),
        ("0", ("TRAIN", 0)),
        ("7.0", ("TRAIN", 7)),
        ("8", ("VAL", 8)),
        ("9", ("TEST", 9)),
        ("12", ("FOLD12", 12)),
        ("unlabeled", ("UNLABELED", None)),
    ],
)
def test_forms_of_a_split(text, split):
    assert parse_split(text) == split


@pytest.mark.parametrize("text", ["", " ", "nan", "None"])
def test_no_split_is_an_error(text):
    with pytest.raises(EchoAugmentError, match="Split is"):
        parse_split(text)


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        ("train", [0, 7]),
        ("VAL", [8]),
        ("test", [9]),
        ("all", [0, 7, 8, 9]),
        (7, [7]),
        ("8", [8]),
        ("fold:0,9", [0, 9]),
        ([0, "val"], [0, 8]),
    ],
)
def test_choosing_folds(maker, tools, choice, chosen):
    names = {0: "A", 7: "B", 8: "V", 9: "T"}
    root = maker([tools.row(name, fold) for fold, name in names.items()], list(names.values()))
    assert [row.fold for row in read_table(root).split(choice)] == chosen


@pytest.mark.parametrize("choice", ["fold:x", [], 1.5, True, None, ""])
def test_choices_that_mean_nothing(choice):
    with pytest.raises(EchoAugmentError, match=r"split|Split"):
        split_filter(choice)


def test_numbers_too_long_for_a_fold_are_words():
    assert parse_split("9" * 5000) == ("9" * 5000, None) and split_filter("9" * 5000)("9" * 5000, None)
    with pytest.raises(EchoAugmentError, match="names no folds"):
        split_filter("fold:" + "9" * 5000)
