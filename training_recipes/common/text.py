"""Words and tables for people: durations, and tables as Markdown."""

from collections.abc import Sequence


def duration(seconds: float) -> str:
    """Return a duration to read.

    >>> duration(45), duration(720), duration(12_240), duration(181_440)
    ('45 s', '12 min', '3.4 h', '2.1 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


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
