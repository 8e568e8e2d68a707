"""The speed tables: a figure, its spread and its target in a row; for the terminal, and as Markdown."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .timing import Spread

PASS, SHORT, PLAIN, MISSING = "pass", "falls short", "", "not measured"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure of a table.

    Attributes:
        what: what was measured, in words.
        found: median and quartiles; None where it was not measured.
        unit: ``x`` (times), ``%``, ``s``, ``clips/s``, ..
        target: to be met by the median; None where there is none.
        at_least: whether the target is a lower bound; an upper one otherwise.
        detail: the medians behind a ratio, or why there is no figure.
    """

    what: str
    found: Spread | None
    unit: str = "x"
    target: float | None = None
    at_least: bool = True
    detail: str = ""

    @property
    def verdict(self) -> str:
        """``pass``, ``falls short``, ``not measured``, or nothing where there is no target."""
        if self.found is None:
            return MISSING
        if self.target is None:
            return PLAIN
        met = self.found.median >= self.target if self.at_least else self.found.median <= self.target
        return PASS if met else SHORT

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """What, figure, quartiles, target, verdict, detail."""
        figure = quartiles = "-"
        if self.found is not None:
            figure = with_unit(self.found.median, self.unit)
            quartiles = f"{number(self.found.low)} to {number(self.found.high)}"
        bound = "at least" if self.at_least else "at most"
        target = "" if self.target is None else f"{bound} {with_unit(self.target, self.unit)}"
        return self.what, figure, quartiles, target, self.verdict, self.detail

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        found = self.found
        return {
            "what": self.what,
            "median": None if found is None else found.median,
            "quartiles": None if found is None else [found.low, found.high],
            "unit": self.unit,
            "target": self.target,
            "bound": None if self.target is None else "at least" if self.at_least else "at most",
            "verdict": self.verdict,
            "detail": self.detail,
        }


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the job.

    Attributes:
        name: as in ``tables=``.
        title: what it is about.
        how: what exactly was measured.
        rows: its figures.
    """

    name: str
    title: str
    how: str
    rows: Sequence[Row]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"title": self.title, "how": self.how, "rows": [row.as_dict() for row in self.rows]}


def missing(what: str, why: str, **target: Any) -> Row:
    """The row of a figure that cannot be measured here."""
    return Row(what=what, found=None, detail=why, **target)


def number(value: float) -> str:
    """Three significant digits, never in powers of ten."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.4f}"


def with_unit(value: float, unit: str) -> str:
    """A figure with its unit."""
    return f"{number(value)}{unit}" if unit == "x" else f"{number(value)} {unit}"


def seconds_text(value: float) -> str:
    """A duration as a person says it."""
    return f"{number(value * 1e3)} ms" if value < 1 else f"{number(value)} s"


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
