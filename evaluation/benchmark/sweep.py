"""Sweeps over one setting of a benchmark: what is done for each value, and the dose-response report."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.common.reporting import plain

from ..report.pages import Picture, Section, Words, write_pages
from ..report.plots import plot_dose
from ..report.tables import MISSING, Table, command, interval, number, p_words
from ..report.verdict import answer_words

CACHE = ("data", "seed", "clips", "generator", "unlabelled", "label_gate")  # settings that decide what is in a cache
GATED = ("model", "trainer", "val_at_least")  # and, through the net that gates it, these


def doses(cfg: DictConfig, root: str) -> dict[str, DictConfig]:
    """The configuration of every value of an ablation, by the name of its folder.

    Args:
        cfg: with ``ablation.key``, a setting such as ``arm.synthetic.p``, and ``ablation.values``, a list of values.
        root: the data set's folder, the same for all.

    Raises:
        EchoAugmentError: no key or fewer than two different values.
    """
    key, values = cfg.ablation.get("key"), list(cfg.ablation.get("values") or [])
    names = [re.sub(r"[^A-Za-z0-9.+-]+", "_", "null" if value is None else str(value)) for value in values]
    if not key or len(set(names)) < 2 or len(set(names)) != len(names):
        raise EchoAugmentError(
            f"an ablation needs a key and at least two different values, got key={key!r} values={values!r}",
            "For instance ablation={key:arm.synthetic.p,values:[0.25,0.5,0.75]}",
        )
    found = {}
    for name, value in zip(names, values, strict=True):
        dose = cfg.copy()
        dose.ablation = None
        dose.data.root = root
        try:
            OmegaConf.update(dose, str(key), value, force_add=str(key).startswith("arm."))
        except (KeyError, AttributeError) as error:
            raise EchoAugmentError(f"ablation.key={key} is no setting of the benchmark ({error})") from error
        found[name] = dose
    return found


def cache_digest(settings: Mapping[str, Any]) -> str:
    """A name for the caches of a benchmark: equal where the settings that decide their clips are equal."""
    names = CACHE if settings.get("label_gate") is None else CACHE + GATED
    text = json.dumps(plain({name: settings.get(name) for name in names}), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def ablation_figures(key: str, reports: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What ``report.json`` of an ablation holds: for each value the arms' MAE and their difference to ``real``.

    Args:
        key: the setting.
        reports: of the benchmarks, by value.
    """
    first = next(iter(reports.values()))
    rows = [
        {
            "value": value,
            "label_fraction": report["label_fraction"],
            "labelled_hearts": report["labelled_hearts"],
            "arms": {name: arm["mae"] for name, arm in report["arms"].items()},
            "contrasts": {name: contrast["mae"] for name, contrast in report["contrasts"].items()},
            "recovered_gain": report["recovered_gain"],
            "fingerprint": report["fingerprint"],
        }
        for value, report in reports.items()
    ]
    same = {name: first[name] for name in ("task", "data", "seeds", "level", "hearts", "steps", "batch_size")}
    notes = sorted({note for report in reports.values() for note in report["notes"]})
    skipped = sorted({tuple(item) for report in reports.values() for item in report["skipped"]})
    return {**same, "ablation": key, "doses": rows, "notes": notes, "skipped": skipped}


def write_ablation(out: Path, report: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Write ``report.html`` and ``report.md`` of an ablation: the dose-response plot and its table."""
    arms = [name for name in report["doses"][0]["arms"] if name != "real"]
    level = report["level"]
    rows = []
    for dose in report["doses"]:
        for name in arms:
            cell = dose["contrasts"].get(f"{name}-real")
            row = [str(dose["value"]), name, number(dose["arms"][name]["mean"])]
            if cell is None:
                rows.append([*row, *[MISSING] * 5])
                continue
            row += [number(cell["diff"], "+.2f"), interval(cell["ci"], "+.2f"), p_words(cell["p"])]
            rows.append([*row, number(cell["detectable"]), answer_words(cell, level)])
    key = report["ablation"]
    header = [key, "arm", "MAE", "less real's", f"{100 * level:.0f} % interval", "p", "detectable", "answer"]
    first = report["doses"][0]
    sub = (
        f"{key}; {first['labelled_hearts']} labelled hearts, {len(report['seeds'])} seeds, {report['hearts']['test']} "
    )
    sub += f"TEST hearts, {report['data']} data. Every value's own report is in doses/."
    parts: list[Any] = [Words(sub, "sub")]
    drawn = [name for name in arms if all(f"{name}-real" in dose["contrasts"] for dose in report["doses"])]
    if drawn:
        lines = [
            (str(dose["value"]), {name: dose["contrasts"][f"{name}-real"] for name in drawn})
            for dose in report["doses"]
        ]
        parts.append(Picture("dose", plot_dose(lines, drawn, key), DOSE_CAPTION))
    parts.append(Table(header, rows, [NOTE]))
    again = {"config": report["config"], "job": "benchmark", "data": report["data"], "overrides": list(overrides)}
    sections = [Section("How much of it is good?", parts)]
    sections.append(Section("Run it again", [Words(command(again), "code")]))
    write_pages(out, sections)


DOSE_CAPTION = (
    "Difference of the mean absolute EF error to the arm `real`, paired by heart and seed, with its interval."
)
NOTE = "No correction for the number of values: an ablation shows where to look, the benchmark is the test."
