"""Work in processes: every item once, and only the guilty one of a crash is lost."""

import os

import pytest

from echo_augment.augmentor.data.importers.pool import each


def square(number: int) -> int:
    return number * number


def crash(number: int) -> int:
    if number == 3:
        os._exit(9)
    return number * number


def refuse(number: int) -> int:
    raise ValueError(f"not {number}")


def test_a_crash_takes_one_item_only():
    items = range(2, 6)  # few, and one process: each start of another costs seconds
    assert dict(each(crash, items, 1)) == {2: 4, 3: None, 4: 16, 5: 25}


def test_more_workers_than_items_and_no_items():
    items = [5]
    assert list(each(square, items, 16)) == [(5, 25)] and items == [5]
    assert list(each(square, [], 4)) == []


def test_an_exception_of_the_function_is_the_callers():
    with pytest.raises(ValueError, match="not 1"):
        list(each(refuse, [1], 1))
