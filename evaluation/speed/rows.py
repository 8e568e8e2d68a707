"""Rows and tables of figures with their spread and target; for the terminal, and as Markdown."""

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from echo_augment.cache.system.files import JsonValue
from echo_augment.training_recipes.common.text import markdown_table

from .timing import Seconds, Spread

PASS, SHORT, PLAIN, MISSING = "pass", "falls short", "", "not measured"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure of a table.

    Attributes:
        what: what was measured, in words.
        found: median and quartiles; None if it was not measured.
        unit: for instance ``x`` (times), ``%``, ``s`` or ``clips/s``.
        target: to be met by the median; None for no target.
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
        """Return ``pass``, ``falls short``, ``not measured``, or nothing for a row without a target."""
        if self.found is None:
            return MISSING
        if self.target is None:
            return PLAIN
        met = self.found.median >= self.target if self.at_least else self.found.median <= self.target
        return PASS if met else SHORT

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """Return what, figure, quartiles, target, verdict and detail as text."""
        figure = quartiles = "-"
        if self.found is not None:
            figure = with_unit(self.found.median, self.unit)
            quartiles = f"{number(self.found.low)} to {number(self.found.high)}"
        bound = "at least" if self.at_least else "at most"
        target = "" if self.target is None else f"{bound} {with_unit(self.target, self.unit)}"
        return self.what, figure, quartiles, target, self.verdict, self.detail

    def to_json(self) -> dict[str, JsonValue]:
        """Return the row under its published keys."""
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

    def to_json(self) -> dict[str, JsonValue]:
        """Return the table under its published keys; its name is the key of the whole."""
        return {"title": self.title, "how": self.how, "rows": [row.to_json() for row in self.rows]}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What of the machine and its software decides the figures; nothing that names it.

    Attributes:
        cores: that this process may use.
        processor: architecture and vector instructions.
        load: processes that were busy before the run; None if the system does not tell.
        devices: GPUs.
        torch_threads: CPU threads of PyTorch.
        torch: version.
        python: version.
    """

    cores: int
    processor: str
    load: float | None
    devices: list[str]
    torch_threads: int
    torch: str
    python: str

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fields."""
        return asdict(self)

    def __str__(self) -> str:
        """Return what matters in one line."""
        load = "" if self.load is None else f", {self.load:.1f} busy before the run"
        devices = ", ".join(self.devices) or "no GPU"
        threads = f"torch {self.torch} on {self.torch_threads} threads"
        return f"{self.cores} cores ({self.processor}){load}; {devices}; {threads}; Python {self.python}"


def missing(what: str, why: str, *, unit: str = "x", target: float | None = None, at_least: bool = True) -> Row:
    """Return the row of a figure that cannot be measured here; ``why`` is its detail, the rest as for `Row`."""
    return Row(what=what, found=None, unit=unit, target=target, at_least=at_least, detail=why)


def against(one: Seconds, other: Seconds) -> str:
    """Return two contenders' median times as text.

    >>> against(np.array([2.0]), np.array([0.001]))
    '2.00 s against 1.00 ms'
    """
    return f"{seconds_text(float(np.median(one)))} against {seconds_text(float(np.median(other)))}"


def number(value: float) -> str:
    """Return three significant digits, never in powers of ten."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.4f}"


def with_unit(value: float, unit: str) -> str:
    """Return a figure with its unit."""
    return f"{number(value)}{unit}" if unit == "x" else f"{number(value)} {unit}"


def seconds_text(value: float) -> str:
    """Return a measured time in seconds or milliseconds."""
    return f"{number(value * 1e3)} ms" if value < 1 else f"{number(value)} s"


HEADER = ("figure", "median", "quartiles", "target", "", "of")
WIDTH = 110


def terminal(table: Table) -> str:
    """Return a table with aligned columns; what is behind a figure stands on the line below it."""
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


def markdown(tables: Sequence[Table], machine: Surroundings, data: str) -> str:
    """Return all tables as Markdown.

    Args:
        tables: to show.
        machine: that they were measured on.
        data: what they were measured on, in words.
    """
    parts = ["# Speed", f"{machine}. Measured on {data}."]
    for table in tables:
        lines = markdown_table(HEADER, [row.cells() for row in table.rows])
        parts += [f"## {table.title[:1].upper()}{table.title[1:]}", table.how, lines]
    return "\n\n".join(parts) + "\n"


def summary(rows: Sequence[Row]) -> str:
    """Return how many targets are met, as text."""
    count = {verdict: sum(row.verdict == verdict for row in rows) for verdict in (PASS, SHORT, MISSING)}
    left = f", {count[MISSING]} figures not measured" if count[MISSING] else ""
    return f"{count[PASS]} of {count[PASS] + count[SHORT]} targets met{left}"
