"""From the measured TEST videos of all segmentation trainings to the figures of the report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from echo_augment.training_recipes.segmentation.measures import MaskFigures, pooled_dice

from .comparison import Dealt, Precision, Predictions, Table, contrast_arms, measure_arm, pairs_of, tabulate
from .gain import gains, recovered_gain
from .metrics import METRICS, Array, Metric
from .results import ArmFigures, LevelFigures, Pooled

Score = Literal["dice", "dice_ed", "dice_es", "hd95", "hd95_mm"]
Runs = Mapping[int, Mapping[str, MaskFigures]]
"""What was measured, by seed and TEST video."""

PAIRS = (  # besides every arm against `real`
    ("synthetic", "classical"),
    ("synthetic", "oracle"),
    ("oracle", "classical"),
    ("synthetic", "classical_strong"),
    ("classical_strong", "classical"),
    ("synthetic+classical_strong", "classical_strong"),
)


def _predicted(residuals: Array, true: Array) -> Array:
    return residuals + true


def _mean(residuals: Array, true: Array) -> Array:
    return np.asarray((residuals + true).mean(-1))


def score(name: str, *, smaller_is_better: bool) -> Metric:
    """Return the metric of the mean over videos of a number that each video has, whatever the true value."""
    return Metric(name, _mean, _predicted, smaller_is_better=smaller_is_better, additive=True)


DICE: tuple[Score, ...] = ("dice", "dice_ed", "dice_es")
DISTANCES: tuple[Score, ...] = ("hd95", "hd95_mm")
SCORES = {name: score(name, smaller_is_better=False) for name in DICE}
SCORES |= {name: score(name, smaller_is_better=True) for name in DISTANCES}
EF_MAE = Metric("ef_mae", METRICS["mae"].per_seed, METRICS["mae"].influence, additive=True)


@dataclass(frozen=True, slots=True)
class Column:
    """A metric with the values that it is computed from."""

    metric: Metric
    table: Table


def summarise(
    measured: Mapping[str, Runs],
    *,
    labelled: int,
    fraction: float,
    precision: Precision,
    dealt: Dealt | None = None,
) -> LevelFigures:
    """Return arms, contrasts and recovered gain at one number of labels.

    ``dice`` is the mean over videos of each video's Dice (ED and ES pixels together), which pairs by video; Dice over
    the pixels of all videos, which echonet reports, is ``pooled``. ``ef_mae`` is the error of EF from masks.

    Args:
        measured: by arm, seed and TEST video, see `echo_augment.training_recipes.segmentation.measures.measure`.
        labelled: TRAIN videos that were labelled.
        fraction: share of TRAIN that this is.
        precision: of the intervals.
        dealt: which generator made the clips of each seed, by arm.
    """
    columns = columns_of(measured, dealt)
    pairs = pairs_of(list(measured), PAIRS)
    arms = {
        arm: ArmFigures(
            pooled=_pooled(runs),
            figures={
                one.metric.name: measure_arm(
                    one.metric, one.table.true, one.table.predicted[arm], precision, one.table.groups_of(arm)
                )
                for one in columns
            },
        )
        for arm, runs in measured.items()
    }
    dice = next(one for one in columns if one.metric.name == "dice")
    return LevelFigures(
        label_fraction=fraction,
        labelled=labelled,
        arms=arms,
        contrasts={
            f"{pair[0]}-{pair[1]}": {
                one.metric.name: contrast_arms(one.metric, one.table, pair, precision) for one in columns
            }
            for pair in pairs
        },
        recovered_gain=recovered_gain({arm: figures["dice"].mean for arm, figures in arms.items()}, dice.metric),
        gains=gains(dice.table.predicted, dice.metric, level=precision.level, groups=dice.table.groups_of("synthetic")),
    )


def columns_of(measured: Mapping[str, Runs], dealt: Dealt | None = None) -> list[Column]:
    """Return each metric with its values; scores that some video lacks are left out."""
    every = [video for runs in measured.values() for run in runs.values() for video in run.values()]
    found = []
    for name, metric in SCORES.items():
        if all(name in video for video in every):
            ideal = 0.0 if metric.smaller_is_better else 1.0
            found.append(Column(metric, tabulate(_map(measured, _reader(name, ideal)), dealt)))
    read = ef_from_masks(measured, dealt)
    return found if read is None else [*found, Column(EF_MAE, read)]


def ef_from_masks(measured: Mapping[str, Runs], dealt: Dealt | None = None) -> Table | None:
    """Return true EF and that of the masks, of the videos where every training has both; None if no video has."""
    pairs = {
        arm: {
            seed: {name: pair for name, video in run.items() if (pair := _ef_pair(video))} for seed, run in runs.items()
        }
        for arm, runs in measured.items()
    }
    known = set.intersection(*(set(run) for runs in pairs.values() for run in runs.values()))
    if not known:
        return None
    return tabulate(
        {
            arm: {seed: {name: run[name] for name in run if name in known} for seed, run in runs.items()}
            for arm, runs in pairs.items()
        },
        dealt,
    )


def _ef_pair(video: MaskFigures) -> tuple[float, float] | None:
    true, drawn = video["ef"], video["ef_masks"]
    return None if true is None or drawn is None else (true, drawn)


def _reader(name: Score, ideal: float) -> Callable[[MaskFigures], tuple[float, float]]:
    return lambda video: (ideal, video[name])


def _map(measured: Mapping[str, Runs], pair: Callable[[MaskFigures], tuple[float, float]]) -> Predictions:
    return {
        arm: {seed: {name: pair(video) for name, video in run.items()} for seed, run in runs.items()}
        for arm, runs in measured.items()
    }


def _pooled(runs: Runs) -> dict[str, Pooled]:
    found = [pooled_dice(runs[seed].values()) for seed in sorted(runs)]
    return {
        "dice": _pooled_seeds([one["dice"] for one in found]),
        "dice_ed": _pooled_seeds([one["dice_ed"] for one in found]),
        "dice_es": _pooled_seeds([one["dice_es"] for one in found]),
    }


def _pooled_seeds(values: Sequence[float]) -> Pooled:
    return Pooled(mean=float(np.mean(values)), per_seed=tuple(values))
