"""From the measured TEST videos of all segmentation trainings to the figures of the report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from echo_augment.training_recipes.segmentation.measures import pooled_dice

from .comparison import Precision, Predictions, Table, contrast_arms, measure_arm, pairs_of, tabulate
from .gain import gains, recovered_gain
from .metrics import METRICS, Array, Metric
from .results import ArmFigures, LevelFigures, Pooled

Measured = Mapping[str, Any]
Runs = Mapping[int, Mapping[str, Measured]]
"""What was measured, by seed and TEST video."""

PAIRS = (  # besides every arm against `real`
    ("synthetic", "classical"),
    ("synthetic", "oracle"),
    ("oracle", "classical"),
)


def _predicted(residuals: Array, true: Array) -> Array:
    return residuals + true


def _mean(residuals: Array, true: Array) -> Array:
    return np.asarray((residuals + true).mean(-1))


def score(name: str, *, smaller_is_better: bool) -> Metric:
    """Return the metric of the mean over videos of a number that each video has, whatever the true value."""
    return Metric(name, _mean, _predicted, smaller_is_better=smaller_is_better, additive=True)


SCORES = {name: score(name, smaller_is_better=False) for name in ("dice", "dice_ed", "dice_es")}
SCORES |= {name: score(name, smaller_is_better=True) for name in ("hd95", "hd95_mm")}
EF_MAE = Metric("ef_mae", METRICS["mae"].per_seed, METRICS["mae"].influence, additive=True)


@dataclass(frozen=True, slots=True)
class Column:
    """A metric with the values that it is computed from."""

    metric: Metric
    table: Table


def summarise(measured: Mapping[str, Runs], *, labelled: int, fraction: float, precision: Precision) -> LevelFigures:
    """Return arms, contrasts and recovered gain at one number of labels.

    ``dice`` is the mean over videos of each video's Dice (ED and ES pixels together), which pairs by video; Dice over
    the pixels of all videos, which echonet reports, is ``pooled``. ``ef_mae`` is the error of EF from masks.

    Args:
        measured: by arm, seed and TEST video, see `echo_augment.training_recipes.segmentation.measures.measure`.
        labelled: TRAIN videos that were labelled.
        fraction: share of TRAIN that this is.
        precision: of the intervals.
    """
    columns = _columns(measured)
    pairs = pairs_of(list(measured), PAIRS)
    arms = {
        arm: ArmFigures(
            pooled=_pooled(runs),
            figures={
                one.metric.name: measure_arm(one.metric, one.table.true, one.table.predicted[arm], precision)
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
        gains=gains(dice.table.predicted, dice.metric, level=precision.level),
    )


def _columns(measured: Mapping[str, Runs]) -> list[Column]:
    """Return each metric with its values; scores that some video lacks are left out."""
    every = [video for runs in measured.values() for run in runs.values() for video in run.values()]
    found = []
    for name, metric in SCORES.items():
        if all(name in video for video in every):
            ideal = 0.0 if metric.smaller_is_better else 1.0
            found.append(Column(metric, tabulate(_map(measured, _reader(name, ideal)))))
    read = ef_from_masks(measured)
    return found if read is None else [*found, Column(EF_MAE, read)]


def ef_from_masks(measured: Mapping[str, Runs]) -> Table | None:
    """Return true EF and that of the masks, of the videos where every training has both; None if no video has."""
    known = _with_ef(measured)
    if not known:
        return None
    kept = {
        arm: {seed: {name: run[name] for name in known} for seed, run in runs.items()} for arm, runs in measured.items()
    }
    return tabulate(_map(kept, lambda video: (video["ef"], video["ef_masks"])))


def _reader(name: str, ideal: float) -> Callable[[Measured], tuple[float, float]]:
    return lambda video: (ideal, video[name])


def _map(measured: Mapping[str, Runs], pair: Callable[[Measured], tuple[float, float]]) -> Predictions:
    return {
        arm: {seed: {name: pair(video) for name, video in run.items()} for seed, run in runs.items()}
        for arm, runs in measured.items()
    }


def _with_ef(measured: Mapping[str, Runs]) -> list[str]:
    """Return the videos whose EF is known and could be read from the masks of every training."""
    runs = [run for by_seed in measured.values() for run in by_seed.values()]
    return [
        name
        for name in runs[0]
        if all(run[name]["ef"] is not None and run[name]["ef_masks"] is not None for run in runs)
    ]


def _pooled(runs: Runs) -> dict[str, Pooled]:
    found = [pooled_dice(runs[seed].values()) for seed in sorted(runs)]
    return {
        name: Pooled(mean=float(np.mean([one[name] for one in found])), per_seed=tuple(one[name] for one in found))
        for name in found[0]
    }
