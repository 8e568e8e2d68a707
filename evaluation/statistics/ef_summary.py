"""From the predictions of all trainings to the figures of the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.training.run import TrainingResult

from .clinical import CLINICAL, by_range, calibrate, figure
from .gain import recovered
from .intervals import RESAMPLES, Estimate, estimate_arm, estimate_difference
from .metrics import METRICS, Array

Predictions = Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]]
PAIRS = (  # besides every arm against `real`
    ("synthetic", "classical"),
    ("synthetic", "pseudo_label"),
    ("synthetic", "mean_teacher"),
    ("synthetic+pseudo_label", "pseudo_label"),
    ("synthetic+classical", "classical"),
    ("synthetic", "oracle"),
    ("oracle", "classical"),
)
GAINS = ("real", "classical")  # arms over which the recovered gain is told
COMPARED = {**METRICS, **CLINICAL}


def tabulate(predictions: Predictions) -> tuple[list[str], Array, dict[str, Array]]:
    """Predictions as arrays over the same hearts.

    Args:
        predictions: by arm, seed and TEST heart: ``(true, predicted)`` EF in percent.

    Returns:
        Names of the hearts, true EF ``(H,)``, and for each arm ``(S, H)`` predictions, seeds in ascending order.

    Raises:
        EchoAugmentError: the arms were trained with different seeds or tested on different hearts.
    """
    seeds = {arm: sorted(runs) for arm, runs in predictions.items()}
    first = next(iter(seeds.values()))
    hearts = {tuple(sorted(run)) for runs in predictions.values() for run in runs.values()}
    if any(own != first for own in seeds.values()) or len(hearts) != 1:
        raise EchoAugmentError("the arms were not trained with the same seeds or not tested on the same hearts")
    names = list(next(iter(hearts)))
    true = {name: {run[name][0] for runs in predictions.values() for run in runs.values()} for name in names}
    if any(len(values) != 1 for values in true.values()):
        raise EchoAugmentError("the true EF of a TEST heart is not the same in all trainings")
    found = {arm: np.array([[runs[s][name][1] for name in names] for s in first]) for arm, runs in predictions.items()}
    return names, np.array([next(iter(true[name])) for name in names]), found


def summarise(
    true: Array, predicted: Mapping[str, Array], *, level: float = 0.95, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Arms, contrasts and recovered gain, in the form of ``report.json``.

    Args:
        true: ``(H,)`` EF in percent.
        predicted: ``(S, H)`` by arm.
        level: of the intervals.
        resamples: of the bootstrap.
    """
    settings: dict[str, Any] = {"level": level, "resamples": resamples}
    arms: dict[str, Any] = {
        arm: {
            **{
                name: figure(metric, estimate_arm(metric, true, values, **settings), true, values)
                for name, metric in COMPARED.items()
            },
            "calibration": calibrate(true, values, **settings),
            "by_range": by_range(true, values, **settings),
        }
        for arm, values in predicted.items()
    }
    pairs = [(arm, "real") for arm in predicted if arm != "real" and "real" in predicted]
    pairs += [pair for pair in PAIRS if set(pair) <= set(predicted)]
    contrasts = {
        f"{first}-{second}": {
            name: contrast(estimate_difference(metric, true, predicted[first], predicted[second], **settings))
            for name, metric in COMPARED.items()
        }
        for first, second in pairs
    }
    gain = recovered_gain({arm: figures["mae"]["mean"] for arm, figures in arms.items()})
    errors = {arm: np.abs(values - true) for arm, values in predicted.items()}
    return {"arms": arms, "contrasts": contrasts, "recovered_gain": gain, "gains": gains(errors, level=level)}


def gains(tables: Mapping[str, Array], **settings: Any) -> dict[str, Any]:
    """The share of the oracle's gain that ``synthetic`` brings, over each of `GAINS`; see `recovered`."""
    return {base: recovered(tables, "synthetic", base, **settings) for base in GAINS}


def contrast(found: Estimate) -> dict[str, Any]:
    """A difference as ``report.json`` has it; ``detectable`` is what the design finds with 80 % power."""
    figures: dict[str, Any] = {"diff": found.value, "ci": found.ci, "p": found.p, "detectable": found.detectable}
    return figures | ({"reason": found.reason} if found.reason else {})


def recovered_gain(mae: Mapping[str, float]) -> float | None:
    """``(MAE_real - MAE_synthetic) / (MAE_real - MAE_oracle)``; None without these arms or a gain of the oracle."""
    if not {"real", "synthetic", "oracle"} <= set(mae) or mae["real"] <= mae["oracle"]:
        return None
    return (mae["real"] - mae["synthetic"]) / (mae["real"] - mae["oracle"])


Results = Mapping[Path, TrainingResult[Any]]


def by_arm(results: Sequence[TrainingResult[Any]]) -> dict[str, dict[int, Any]]:
    """The predictions of some trainings by arm and seed."""
    found: dict[str, dict[int, Any]] = {}
    for result in results:
        found.setdefault(result.arm, {})[result.seed] = result.predictions
    return found


def first_labels(results: Results, report: Mapping[str, Any]) -> dict[str, dict[int, Any]]:
    """:func:`by_arm` of the trainings with as many labels as the report's arms, and of `full`."""
    count = report["labelled_hearts"]
    return by_arm([one for one in results.values() if one.arm == "full" or one.labelled_hearts == count])
