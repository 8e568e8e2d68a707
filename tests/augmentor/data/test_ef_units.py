"""A table whose EF cannot be percent is refused with its range; told the unit, everybody reads percent."""

import copy

import numpy as np
import pytest

from echo_augment.augmentor.data import EchoNetDynamic, read_table
from echo_augment.augmentor.data.checkup import check_dataset
from echo_augment.augmentor.data.ef_units import check_unit
from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.cache.errors import EchoAugmentError


def rows(tools, *values):
    return [tools.row(name, ef=value) for name, value in zip("ABC", values, strict=False)]


@pytest.mark.parametrize(
    ("values", "unit", "range_"),
    [
        ((0.55, 0.3), "fraction", "0.3 to 0.55"),
        ((0, 1), "fraction", "0 to 1"),
        ((0.6, "nan", 0.2), "fraction", "0.2 to 0.6"),
        ((5550, 3000), "hundredths", "3000 to 5550"),
        ((10000, 101), "hundredths", "101 to 10000"),
    ],
)
def test_other_units_are_refused_by_every_reader_and_read_if_named(maker, tools, values, unit, range_):
    root = maker(rows(tools, *values), "ABC")
    message = rf"FileList\.csv: column EF ranges from {range_}, which is not EF in percent\. Give ef_unit=\"{unit}\""
    for reader in (read_table, lambda root: EchoNetDynamic(root, "train", on_error="skip")):
        with pytest.raises(EchoAugmentError, match=message):
            reader(root)
    assert [problem.kind for problem in check_dataset(root).errors] == ["folder"]
    factor = {"fraction": 100, "hundredths": 0.01}[unit]
    wanted = [factor * value for value in values if value != "nan"]
    data = EchoNetDynamic(root, "train", ef_unit=unit, on_error="skip")
    assert np.allclose([data[index][1] for index in range(len(data))], wanted)
    assert np.allclose([row.ef for row in data.rows], wanted)


@pytest.mark.parametrize("values", [(0.5,), (0.9, 1.5), (55, 0.6), (100, 20), (101, 20), (20000, 30000), ("nan", "x")])
def test_what_may_be_percent_or_is_no_unit_at_all_is_left_to_the_rows(maker, tools, values):
    table = read_table(maker(rows(tools, *values), "ABC"))
    assert [row.ef for row in table.rows] == pytest.approx(
        [value if isinstance(value, int | float) and value <= 100 else np.nan for value in values], nan_ok=True
    )


def test_percent_may_be_insisted_on_and_units_are_checked(maker, tools):
    root = maker(rows(tools, 0.55, 0.3), "AB")
    assert [row.ef for row in read_table(root, ef_unit="percent").rows] == [0.55, 0.3]
    with pytest.raises(EchoAugmentError, match="ef_unit must be"):
        read_table(root, ef_unit="promille")
    assert [problem.kind for problem in read_table(maker(rows(tools, 55, 30), "AB"), ef_unit="fraction").problems] == [
        "EF",
        "EF",
    ]


def test_a_dataset_s_files_carry_its_unit_to_every_reader(maker, tools):
    root = maker(rows(tools, 0.55, 0.3), "AB")
    files = copy.deepcopy(find_files(root, ef_unit="fraction"))
    assert [row.ef for row in read_table(files).rows] == [55, 30] and read_table(files).files == files
    assert EchoNetDynamic(files, "train", on_error="skip").files == files
    assert check_dataset(files).facts.ef["max"] == check_dataset(root, ef_unit="fraction").facts.ef["max"] == 55
    assert [row.ef for row in read_table(files, ef_unit="percent").rows] == [0.55, 0.3]
    assert find_files(files).ef_unit == check_unit("fraction")
    with pytest.raises(EchoAugmentError, match="ef_unit"):
        read_table(root)  # nothing in this process remembers it
    with pytest.raises(EchoAugmentError, match="ef_unit must be"):
        find_files(root, ef_unit="promille")
