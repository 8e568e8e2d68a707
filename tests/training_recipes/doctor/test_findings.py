"""Findings are printed by area, a few of a kind, errors first."""

from echo_augment.training_recipes.doctor.findings import ERROR, WARNING, Finding, text


def test_a_few_of_each_kind_are_printed():
    many = [Finding(ERROR, "data", "broken", f"file {place} is broken", "Copy it again") for place in range(4)]
    found = text({"data": {"videos": 4, "mean": 0.123456}}, [*many, Finding(WARNING, "data", "odd", "odd", "Look")], 2)
    assert found.splitlines() == [
        "data:",
        "  videos: 4",
        "  mean: 0.1235",
        "  ERROR [broken] file 0 is broken. Copy it again",
        "  ERROR [broken] file 1 is broken. Copy it again",
        "  ERROR [broken] ... and 2 more",
        "  WARNING [odd] odd. Look",
    ]


def test_findings_of_an_area_that_was_not_looked_at_are_not_printed():
    assert text({"machine": {}}, [Finding(ERROR, "data", "a", "b", "c")], 5) == "machine:"
