"""Tables for people, as Markdown."""

from echo_augment.training_recipes.common.text import markdown_table


def test_a_table_has_a_rule_under_its_header_and_a_line_for_each_row():
    assert markdown_table(["arm", "MAE"], [["real", "9.4"], ["synthetic", "8.1"]]).splitlines() == [
        "| arm | MAE |",
        "| --- | --- |",
        "| real | 9.4 |",
        "| synthetic | 8.1 |",
    ]


def test_a_bar_in_a_cell_does_not_end_it():
    assert markdown_table(["mean |error|"], [["a|b"]]).splitlines() == [
        "| mean \\|error\\| |",
        "| --- |",
        "| a\\|b |",
    ]


def test_a_table_without_rows_is_its_header():
    assert markdown_table(["a", "b"], []) == "| a | b |\n| --- | --- |"
