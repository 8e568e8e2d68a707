"""The generated pages name every setting and every key, with what the docstrings say of them."""

import re
from dataclasses import dataclass

import pytest

from echo_augment.evaluation.report.content import BenchmarkReport
from echo_augment.evaluation.statistics.results import Contrast, LevelFigures
from echo_augment.evaluation.studies.reference_pages import (
    attributes,
    record_kinds,
    schema,
    setting_rows,
    settings_page,
    type_words,
)
from echo_augment.training_recipes.cli import OWN


@dataclass
class Inner:
    """Inside.

    Attributes:
        width: channels
            of it, at least 1.
    """

    width: int = 1


@dataclass
class Outer(Inner):
    """Outside.

    Attributes:
        inner: a group.
        names: what ``it`` is called.

    Raises:
        nothing: this is no attribute.
    """

    inner: Inner | None = None
    names: list[str] | None = None


def test_words_of_bases_and_of_several_lines():
    expected = {"width": "channels of it, at least 1.", "inner": "a group.", "names": "what `it` is called."}
    assert attributes(Outer) == expected


def test_groups_are_unfolded_where_there_is_one():
    values = {"width": "???", "inner": {"width": 3}, "names": None}
    rows = {name: (kind, default) for name, kind, default, _ in setting_rows(Outer, values)}
    assert rows == {
        "`width`": ("int", "**needed**"),
        "`inner.width`": ("int", "`3`"),
        "`names`": ("list of str or null", "`null`"),
    }
    rows = {name: default for name, _, default, _ in setting_rows(Outer, {**values, "inner": None})}
    assert rows["`inner`"] == "`null`"


@pytest.mark.parametrize("job", ["fill-cache", "import"])
def test_a_page_has_every_setting(job):
    page = settings_page(job)
    named = re.findall(r"^\| `([\w.-]+)` \|", page, re.MULTILINE)
    assert "out" in named and len(set(named)) == len(named) and job in OWN
    wanted = {"fill-cache": "gates.label.tolerance", "import": "from"}
    assert wanted[job] in named and "source" not in named
    assert f"- {job}_schema" in page


def test_the_schema_has_every_record_and_its_published_keys():
    kinds = record_kinds(BenchmarkReport)
    assert kinds[0] is BenchmarkReport and {LevelFigures, Contrast} <= set(kinds)
    text = schema()
    assert all(f"## {kind.__name__}\n" in text for kind in kinds)
    assert "| `hearts` | Sizes |" in text and "| `videos` | Sizes |" not in text
    assert type_words(tuple[float, float] | None) == "list of float or null"
