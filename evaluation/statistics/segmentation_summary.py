"""From the hearts of all segmentation trainings to the figures of the report."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from echo_augment.training_recipes.segmentation.measures import MaskFigures, pooled_dice

from .clinical import figure
from .ef_summary import contrast, gains, tabulate
from .intervals import estimate_arm, estimate_difference
from .metrics import METRICS, Array, Metric

Hearts = Mapping[str, Mapping[int, Mapping[str, MaskFigures]]]
Pairs = dict[str, dict[int, dict[str, tuple[float, float]]]]  # true and found, by arm, seed and heart
PAIRS = (
    ("synthetic", "classical"),
    ("synthetic", "oracle"),
    ("oracle", "classical"),
)  # besides every arm against `real`


def _predicted(residuals: Array, true: Array) -> Array:
    return residuals + true


def _mean(residuals: Array, true: Array) -> Array:
    return (residuals + true).mean(-1)


def score(name: str, *, smaller_is_better: bool) -> Metric:
    """The mean over hearts of a number that each heart has, whatever the true value."""
    return Metric(name, _mean, _predicted, smaller_is_better=smaller_is_better, additive=True)


SCORES = {name: score(name, smaller_is_better=False) for name in ("dice", "dice_ed", "dice_es")}
SCORES |= {name: score(name, smaller_is_better=True) for name in ("hd95", "hd95_mm")}


def summarise_hearts(hearts: Hearts, **settings: Any) -> dict[str, Any]:
    """Arms, contrasts and recovered gain, in the form of ``report.json``.

    ``dice`` is the mean over hearts of each heart's Dice (ED and ES pixels together), which pairs by heart; Dice over
    the pixels of all hearts, which echonet reports, is ``pooled``. ``ef_mae`` is the error of EF from masks.

    Args:
        hearts: by arm, seed and TEST heart: what `echo_augment.training_recipes.segmentation.measures.measure` found.
        **settings: ``level`` and ``resamples`` of `estimate_arm`.
    """
    arms: dict[str, Any] = {arm: {"pooled": _pooled(runs)} for arm, runs in hearts.items()}
    pairs = [(arm, "real") for arm in arms if arm != "real" and "real" in arms]
    pairs += [pair for pair in PAIRS if set(pair) <= set(arms)]
    contrasts: dict[str, Any] = {f"{first}-{second}": {} for first, second in pairs}
    shares: dict[str, Any] = {}
    for metric, pairs_of_hearts in _columns(hearts):
        _, true, predicted = tabulate(pairs_of_hearts)
        if metric.name == "dice":
            shares = gains(predicted, smaller_is_better=False, level=settings.get("level", 0.95))
        for arm, values in predicted.items():
            arms[arm][metric.name] = figure(metric, estimate_arm(metric, true, values, **settings), true, values)
        for first, second in pairs:
            found = estimate_difference(metric, true, predicted[first], predicted[second], **settings)
            contrasts[f"{first}-{second}"][metric.name] = contrast(found)
    gain = recovered_dice({arm: figures["dice"]["mean"] for arm, figures in arms.items()})
    return {"arms": arms, "contrasts": contrasts, "recovered_gain": gain, "gains": shares}


def _columns(hearts: Hearts) -> list[tuple[Metric, Pairs]]:
    """Each metric with ``(true, predicted)`` by arm, seed and heart; those that some heart lacks only where it can."""
    every = [heart for runs in hearts.values() for run in runs.values() for heart in run.values()]
    found = []
    for name, metric in SCORES.items():
        if all(name in heart for heart in every):
            ideal = 0.0 if metric.smaller_is_better else 1.0
            found.append((metric, _map(hearts, lambda heart, key=name, best=ideal: (best, heart[key]))))
    read = ef_from_masks(hearts)
    if read is not None:
        mae = METRICS["mae"]
        found.append((Metric("ef_mae", mae.per_seed, mae.influence, additive=True), read))
    return found


def ef_from_masks(hearts: Hearts) -> Pairs | None:
    """True EF and that of the masks; of the hearts where both are known in every training, None where there is none."""
    known = _with_ef(hearts)
    if not known:
        return None
    kept = {
        arm: {seed: {name: run[name] for name in known} for seed, run in runs.items()} for arm, runs in hearts.items()
    }
    return _map(kept, lambda heart: (heart["ef"], heart["ef_masks"]))


def _map(hearts: Hearts, pair: Any) -> Pairs:
    return {
        arm: {seed: {name: pair(heart) for name, heart in run.items()} for seed, run in runs.items()}
        for arm, runs in hearts.items()
    }


def _with_ef(hearts: Hearts) -> list[str]:
    """Hearts whose EF is known and could be read from the masks of every training."""
    runs = [run for by_seed in hearts.values() for run in by_seed.values()]
    return [
        name
        for name in runs[0]
        if all(run[name]["ef"] is not None and run[name]["ef_masks"] is not None for run in runs)
    ]


def _pooled(runs: Mapping[int, Mapping[str, MaskFigures]]) -> dict[str, Any]:
    """Dice over all pixels, by seed and its mean."""
    found = [pooled_dice(runs[seed].values()) for seed in sorted(runs)]
    return {
        name: {"mean": float(np.mean([one[name] for one in found])), "per_seed": [one[name] for one in found]}
        for name in found[0]
    }


def recovered_dice(dice: Mapping[str, float]) -> float | None:
    """``(synthetic - real) / (oracle - real)``; None without these arms or a gain of the oracle."""
    if not {"real", "synthetic", "oracle"} <= set(dice) or dice["oracle"] <= dice["real"]:
        return None
    return (dice["synthetic"] - dice["real"]) / (dice["oracle"] - dice["real"])
