"""Reports of benchmarks that nobody trained."""

import numpy as np

from echo_augment.evaluation.statistics.ef_summary import summarise
from echo_augment.evaluation.statistics.intervals import correct
from echo_augment.evaluation.statistics.segmentation_summary import summarise_hearts

ARMS = {"real": 0.0, "classical": -0.5, "pseudo_label": -0.8, "synthetic": -1.5, "synthetic+pseudo_label": -1.8}


def simulated(labelled: int, gain: float, arms: dict = ARMS, train: int = 200) -> tuple:
    """True EF, predictions and figures of arms whose errors differ from 8 EF points by ``gain`` times ``arms``."""
    rng = np.random.default_rng(labelled)
    true = rng.normal(55, 12, 80)
    size = 8 + rng.normal(0, 2, 80)
    sign = rng.choice([-1, 1], 80)
    found = {arm: true + sign * (size + gain * shift) + rng.normal(0, 2, (3, 80)) for arm, shift in arms.items()}
    figures = {"labelled_hearts": labelled, "label_fraction": labelled / train}
    return true, found, {**figures, **summarise(true, found, resamples=299)}


def hearts(shift: float, seeds: int = 3, count: int = 40) -> dict[int, dict[str, dict]]:
    """Dice of hearts that differ, around 0.85 + ``shift``."""
    base = np.random.default_rng(0).normal(0.85, 0.05, count)
    runs = {}
    for seed in range(seeds):
        dice = base + shift + np.random.default_rng([1, seed]).normal(0, 0.01, count)
        runs[seed] = {
            f"h{k}": {
                **{"dice": d, "dice_ed": d, "dice_es": d, "hd95": 4.0, "hd95_ed": 4.0, "hd95_es": 4.0},
                **{"pixels": [90, 200, 45, 100], "ef": 50.0, "ef_masks": 50 + 100 * shift if k else None},
            }
            for k, d in enumerate(dice)
        }
    return runs


def whole(levels: list[dict], *, task: str = "ef", train: int = 200) -> dict:
    """A report of some numbers of labels."""
    correct(levels)
    config = {"data": {"root": "/data/phantoms of ours"}, "model": {"name": "tiny"}}
    config |= {"labels": [level["labelled_hearts"] for level in levels], "generator": {"weights": "bundled"}}
    config |= {"seeds": [0, 1, 2], "arm": dict.fromkeys(levels[0]["arms"]), "clips": 100, "seed": 0, "out": "runs/x"}
    figures = {**levels[0], "level": 0.95, "task": task, "data": "phantom", "seeds": [0, 1, 2], "config": config}
    figures |= {"hearts": {"train": train, "validation": 16, "test": 80}, "steps": 400, "batch_size": 16, "clips": []}
    figures |= {"fingerprint": "abc", "versions": {"python": "3.12"}, "job": "benchmark", "notes": [], "skipped": []}
    figures |= {"trainings": {"count": 60, "seconds": 3600.0}, "minutes": 90.0}
    figures |= {"machine": {"device": "cpu", "cores": 2, "system": "Linux x86_64"}}
    return {**figures, "fractions": levels} if len(levels) > 1 else figures


def masks_report(shift: float, oracle: float = 0.04) -> dict:
    """A report of a segmentation whose arms differ by these."""
    arms = {"real": hearts(0), "classical": hearts(0.001), "synthetic": hearts(shift), "oracle": hearts(oracle)}
    figures = {"labelled_hearts": 16, "label_fraction": 0.03, **summarise_hearts(arms, level=0.95, resamples=199)}
    return whole([figures], task="segmentation", train=570)
