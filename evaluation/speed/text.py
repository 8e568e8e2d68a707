"""The speed tables as text: for the terminal, and as Markdown."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from .rows import MISSING, PASS, SHORT, Row, Table

HEADER = ("figure", "median", "quartiles", "target", "", "of")
WIDTH = 110


def terminal(table: Table) -> str:
    """A table with aligned columns; what is behind a figure stands on the line below it."""
    cells = [HEADER[:5], *(row.cells()[:5] for row in table.rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = [f"{table.name}: {table.title}", *textwrap.wrap(table.how, WIDTH)]
    for line, row in zip(cells, (None, *table.rows), strict=True):
        texts = [line[0].ljust(widths[0])]
        texts += [text.rjust(width) for text, width in zip(line[1:4], widths[1:4], strict=True)]
        lines.append("  ".join([*texts, line[4]]).rstrip())
        if row is not None and row.detail:
            lines += textwrap.wrap(row.detail, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def markdown(tables: Sequence[Table], facts: Mapping[str, Any], data: str) -> str:
    """All tables as Markdown, with the machine and the hearts they were measured on."""
    parts = ["# Speed", f"{machine_line(facts)}. Measured on {data}."]
    for table in tables:
        lines = [_line(HEADER), "|---|---|---|---|---|---|", *(_line(row.cells()) for row in table.rows)]
        parts += [f"## {table.title[:1].upper()}{table.title[1:]}", table.how, "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def machine_line(facts: Mapping[str, Any]) -> str:
    """What of the machine matters, in one line."""
    load = "" if facts["load"] is None else f", {facts['load']:.1f} busy before the run"
    devices = ", ".join(facts["devices"]) or "no GPU"
    threads = f"torch {facts['torch']} on {facts['torch_threads']} threads"
    return f"{facts['cores']} cores ({facts['processor']}){load}; {devices}; {threads}; Python {facts['python']}"


def summary(rows: Sequence[Row]) -> str:
    """How many targets are met."""
    count = {verdict: sum(row.verdict == verdict for row in rows) for verdict in (PASS, SHORT, MISSING)}
    left = f", {count[MISSING]} figures not measured" if count[MISSING] else ""
    return f"{count[PASS]} of {count[PASS] + count[SHORT]} targets met{left}"
