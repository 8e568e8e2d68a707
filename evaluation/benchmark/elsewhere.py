"""TEST videos of other data sets, and other labels of the own ones: every net is tested on them once."""

import csv
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from echo_augment.augmentor.data import EchoTable, VideoInfo, read_table, refuse_leaks
from echo_augment.augmentor.data.layouts.finding import DataFiles, find_files
from echo_augment.augmentor.mcdm.pipeline import BUNDLED
from echo_augment.augmentor.mcdm.training_videos import refuse_trained_on
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import write_json
from echo_augment.training_recipes.arms.specification import TOLD
from echo_augment.training_recipes.common.reporting import plain

from ..report.content import FurtherColumn
from ..statistics.columns import column
from ..statistics.comparison import Precision
from ..statistics.results import LevelFigures
from .design import Design
from .own_generator import folder_of
from .task import Results, Task

NOISY, TRUTH = "noisy labels", "true_ef.csv"
"""Column of the own TEST videos judged by EF with the error that TRAIN's has, and the file of phantoms that has it."""


def check_columns(design: Design) -> dict[str, DataFiles]:
    """Return the further data sets by name.

    Raises:
        EchoAugmentError: one of their TEST videos is among the TRAIN or VAL videos here, or trained a generator.
    """
    found = {name: find_files(folder) for name, folder in design.settings.tests.items()}
    table, given, kinds = read_table(design.data), design.settings.generator, design.kinds()
    seen = [*table.split("train"), *table.split("val")]
    weights = [given.weights if design.made() else None, given.ef_conditioned if TOLD in kinds else None]
    for name, data in found.items():
        if name == NOISY:
            raise EchoAugmentError(f"test.{NOISY} is the name of a column of our own", "Take another name")
        held_out = there(read_table(data))
        if not held_out:
            raise EchoAugmentError(f"test.{name}={data.root}: has no TEST video", "Give a folder whose table has some")
        refuse_seen(seen, held_out)
        for further in given.also or ():
            refuse_seen(read_table(further).split("train"), held_out)
        for one in filter(None, weights):
            refuse_trained_on(BUNDLED if one == "bundled" else Path(one), held_out)
    return found


def there(table: EchoTable) -> list[VideoInfo]:
    """Return the TEST videos of a table whose files are there."""
    return [row for row in table.split("test") if row.path.is_file()]


def refuse_seen(seen: Sequence[VideoInfo], held_out: Sequence[VideoInfo]) -> None:
    """Raise if a held-out video is among those that are trained, tuned or selected on, in whichever split.

    Raises:
        EchoAugmentError: naming it.
    """
    refuse_leaks([replace(row, split="TRAIN") for row in seen if row.path.is_file()], held_out)


def predict_elsewhere(task: Task, results: Results, name: str, data: DataFiles, device: str) -> Results:
    """Return the results of trainings with what their nets predict of the TEST videos of another data set.

    What was predicted once is kept beside the training and read from there.

    Args:
        task: of the benchmark.
        results: of trainings, by folder.
        name: of the column.
        data: the data set.
        device: to compute on.
    """
    tables = [path for listing in data.lists for path in (listing.path, listing.tracings) if path is not None]
    content = hashlib.sha256(b"".join(path.read_bytes() for path in tables if path.is_file())).hexdigest()[:24]
    found = {}
    for folder, result in results.items():
        path = folder / f"test-{name}.json"
        told: Any = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if (told.get("key"), told.get("content")) != (result.key, content):
            told = {"key": result.key, "content": content, "predictions": plain(task.test(folder, data, device))}
            write_json(path, told)
        found[folder] = replace(result, predictions=told["predictions"])
    return found


def noisy(results: Results, root: Path) -> Results | None:
    """Return the results judged by EF with an error as large as TRAIN's; None where the data set has none.

    Args:
        results: of EF trainings.
        root: folder of the data set; phantoms with ``label_noise`` have both EFs in `TRUTH`.
    """
    path = root / TRUTH
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        known = {row["FileName"]: float(row["NoisyEF"]) for row in csv.DictReader(file)}
    found = {}
    for folder, result in results.items():
        told = {name: [known.get(name, math.nan), pair[1]] for name, pair in result.predictions.items()}
        if any(math.isnan(true) for true, _ in told.values()):
            raise EchoAugmentError(f"{path}: lacks a TEST video", "Write the phantoms anew")
        found[folder] = replace(result, predictions=told)
    return found


class Columns:
    """The figures on further TEST videos, filled number of labels by number of labels.

    Args:
        task: of the benchmark.
        design: of the benchmark.
        precision: of the intervals.

    Raises:
        EchoAugmentError: as `check_columns`.
    """

    def __init__(self, task: Task, design: Design, precision: Precision) -> None:
        self.task, self.design, self.precision = task, design, precision
        self.data = check_columns(design)
        self.found: dict[str, FurtherColumn] = {}
        self.results: dict[tuple[str, int], Results] = {}

    def add(self, place: int, results: Results, level: LevelFigures) -> None:
        """Test the nets of one number of labels.

        Args:
            place: in the list of label counts.
            results: of the trainings.
            level: what was found on the own TEST videos.
        """
        settings = self.design.settings
        columns = {
            name: (data.root, predict_elsewhere(self.task, results, name, data, settings.device))
            for name, data in self.data.items()
        }
        if settings.task == "ef" and (own := noisy(results, self.design.root)) is not None:
            columns[NOISY] = (self.design.root, own)
        pairs = [tuple(pair.split("-", 1)) for pair in level.contrasts]
        for name, (root, tested) in columns.items():
            metric, table = self.task.table(tested, self.design.dealt())
            figures = column(
                metric, table, [(first, second) for first, second in pairs], self.precision, labelled=level.labelled
            )
            before = self.found.get(name, FurtherColumn(name=name, folder=str(root), levels=()))
            self.found[name] = replace(before, levels=(*before.levels, figures))
            self.results[name, place] = tested


def trained_elsewhere(design: Design, columns: Mapping[str, DataFiles]) -> None:
    """Raise if a generator that this benchmark trained learned from a TEST video of a column.

    Raises:
        EchoAugmentError: naming the video.
    """
    given = design.settings.generator
    if given.weights is not None:
        return
    for seed in given.seeds or (None,):
        for folder in folder_of(design.settings, design.out, seed).glob("generator*"):
            for data in columns.values():
                refuse_trained_on(folder, there(read_table(data)))
