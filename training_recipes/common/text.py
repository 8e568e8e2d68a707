"""Tables for people, as Markdown."""

from collections.abc import Sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown; a ``|`` inside a cell is escaped.

    Args:
        header: titles of the columns.
        rows: cells, as many in each row as there are titles.

    >>> print(markdown_table(["arm", "MAE"], [["real", "9.4"]]))
    | arm | MAE |
    | --- | --- |
    | real | 9.4 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
