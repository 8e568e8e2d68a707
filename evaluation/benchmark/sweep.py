"""Sweeps over one setting of a benchmark: what is done for each value, and the report over its values."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from omegaconf import OmegaConf

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.common.reporting import plain
from echo_augment.training_recipes.common.settings import object_from

from ..report.content import BenchmarkReport, SweepReport, SweepRow
from ..report.pages import Picture, Section, Words, write_pages
from ..report.plots import plot_sweep
from ..report.tables import MISSING, Table, interval, number, p_words, percent
from ..report.verdict import EF_ERROR
from .settings import BenchmarkSettings, DesignSettings, SweepSettings

FOLDER = "doses"  # of the values' own benchmarks: its first name, under which finished trainings are found again
PLOT_CAPTION = (
    "Difference of the mean absolute EF error to the arm `real`, paired by video and seed, with its interval."
)
NOTE = "No correction for the number of values: a sweep shows where to look, the benchmark is the test."


def values_of(settings: BenchmarkSettings, sweep: SweepSettings) -> dict[str, BenchmarkSettings]:
    """Return the settings of the benchmark of every value of a sweep, by the name of its folder.

    Args:
        settings: of the job.
        sweep: the setting, such as ``arm.synthetic.p``, and its values.

    Raises:
        EchoAugmentError: no key, or fewer than two different values.
    """
    key, values = sweep.key, list(sweep.values or [])
    names = [re.sub(r"[^A-Za-z0-9.+-]+", "_", "null" if value is None else str(value)) for value in values]
    if not key or len(set(names)) < 2 or len(set(names)) != len(names):
        raise EchoAugmentError(
            f"a sweep needs a key and at least two different values, got key={key!r} values={values!r}",
            "For instance sweep={key:arm.synthetic.p,values:[0.25,0.5,0.75]}",
        )
    one = replace(settings, sweep=None)
    return {name: with_value(one, key, value) for name, value in zip(names, values, strict=True)}


def with_value(settings: BenchmarkSettings, key: str, value: object) -> BenchmarkSettings:
    """Return the settings with another value at ``key``; only an arm may get a key that it does not have yet.

    Raises:
        EchoAugmentError: there is no such setting, or it cannot have this value.
    """
    changed = OmegaConf.create(asdict(settings))
    OmegaConf.set_struct(changed, True)
    try:
        OmegaConf.update(changed, key, value, force_add=key.startswith("arm."))
    except (KeyError, AttributeError) as error:
        raise EchoAugmentError(f"sweep.key={key} is no setting of the benchmark ({error})") from error
    return object_from(OmegaConf.to_container(changed), BenchmarkSettings)


IMPLIED = {"format": 2, "population": "A", "recording": "fixed", "label_noise": 0.0, "follow_links": True}
"""What the settings of ``data`` that came later were before; these values change no name of a cache."""


def _said(data: Mapping[str, object]) -> dict[str, object]:
    """Return the settings of ``data`` that say more than those of the first sweeps."""
    return {key: value for key, value in data.items() if value is not None and (key, value) not in IMPLIED.items()}


LATER = ("ef_conditioned", "seeds", "also", "folder")  # settings of the generator that came after the first sweeps


def _told(generator: Mapping[str, object]) -> dict[str, object]:
    """Return the settings of the generator; those that came later count if they say anything."""
    return {key: value for key, value in generator.items() if key not in LATER or value is not None}


def cache_digest(settings: DesignSettings) -> str:
    """Return a name for the caches of a benchmark: equal where the settings that decide their clips are equal."""
    decides = {
        "data": _said(asdict(settings.data)),
        "seed": settings.seed,
        "clips": settings.clips,
        "generator": _told(asdict(settings.generator)),
        "unlabelled": settings.unlabelled,
        "label_gate": settings.label_gate,
    }
    if settings.label_gate is not None:  # and, through the net that gates them, these
        model, trainer = asdict(settings.model), settings.trainer.to_json()
        decides |= {"model": model, "trainer": trainer, "val_at_least": settings.val_at_least}
    return hashlib.sha256(json.dumps(plain(decides), sort_keys=True).encode()).hexdigest()[:12]


def sweep_report(key: str, reports: Mapping[str, BenchmarkReport]) -> SweepReport:
    """Return what a sweep found: for each value the arms' MAE and their differences.

    Args:
        key: the setting.
        reports: of the benchmarks, by value.
    """
    first = next(iter(reports.values()))
    rows = tuple(
        SweepRow(
            value=value,
            label_fraction=report.label_fraction,
            labelled=report.labelled,
            arms={name: arm["mae"] for name, arm in report.arms.items()},
            contrasts={pair: cells["mae"] for pair, cells in report.contrasts.items()},
            recovered_gain=report.recovered_gain,
            fingerprint=report.fingerprint,
        )
        for value, report in reports.items()
    )
    return SweepReport(
        task=first.task,
        data=first.data,
        seeds=first.seeds,
        level=first.level,
        videos=first.videos,
        steps=first.steps,
        batch_size=first.batch_size,
        key=key,
        rows=rows,
        notes=tuple(sorted({note for report in reports.values() for note in report.notes})),
        skipped=tuple(sorted({item for report in reports.values() for item in report.skipped})),
    )


def write_sweep_pages(out: Path, report: SweepReport, again: str) -> None:
    """Write ``report.html`` and ``report.md`` of a sweep: a plot over its values, and a table.

    Args:
        out: folder of the report.
        report: what was found.
        again: the command that makes it again.
    """
    first = report.rows[0]
    arms = [name for name in first.arms if name != "real"]
    sub = (
        f"{report.key}; {first.labelled} labelled videos, {len(report.seeds)} seeds, {report.videos.test} TEST videos, "
        f"{report.data} data. Every value's own report is in {FOLDER}/."
    )
    parts: list[Words | Picture | Table] = [Words(sub, "sub")]
    drawn = [name for name in arms if all(f"{name}-real" in row.contrasts for row in report.rows)]
    if drawn:
        parts.append(Picture("sweep", plot_sweep(report.rows, drawn, report.key), PLOT_CAPTION))
    rows = [cells for row in report.rows for cells in _cells(row, arms, report.level)]
    header = [report.key, "arm", "MAE", "less real's", percent(report.level), "p", "detectable", "answer"]
    parts.append(Table(header, rows, [NOTE]))
    sections = [Section("How much of it is good?", parts), Section("Run it again", [Words(again, "code")])]
    write_pages(out, sections)


def _cells(row: SweepRow, arms: Sequence[str], level: float) -> list[list[str]]:
    found = []
    for name in arms:
        cell = row.contrasts.get(f"{name}-real")
        line = [row.value, name, number(row.arms[name].mean)]
        if cell is None:
            found.append([*line, *[MISSING] * 5])
            continue
        line += [number(cell.diff, "+.2f"), interval(cell.ci, "+.2f"), p_words(cell.p)]
        found.append([*line, number(cell.detectable), EF_ERROR.answer(cell, level)])
    return found
