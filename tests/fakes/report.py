"""Reports of benchmarks that nobody trained."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from echo_augment.evaluation.report.content import BenchmarkReport, PrimaryAnswer, Sizes, Trainings
from echo_augment.evaluation.statistics.comparison import Precision, Table, correct
from echo_augment.evaluation.statistics.ef_summary import summarise
from echo_augment.evaluation.statistics.results import LevelFigures
from echo_augment.evaluation.statistics.segmentation_summary import summarise as summarise_masks
from echo_augment.training_recipes.common.reporting import Machine

ARMS = {"real": 0.0, "classical": -0.5, "pseudo_label": -0.8, "synthetic": -1.5, "synthetic+pseudo_label": -1.8}


def predicted(labelled: int, gain: float, arms: Mapping[str, float] = ARMS) -> Table:
    """Predictions of arms whose errors differ from 8 EF points by ``gain`` times ``arms``."""
    rng = np.random.default_rng(labelled)
    true = rng.normal(55, 12, 80)
    size = 8 + rng.normal(0, 2, 80)
    sign = rng.choice([-1, 1], 80)
    found = {arm: true + sign * (size + gain * shift) + rng.normal(0, 2, (3, 80)) for arm, shift in arms.items()}
    return Table([f"v{k}" for k in range(80)], true, found)


def level(labelled: int, gain: float, arms: Mapping[str, float] = ARMS, train: int = 200) -> LevelFigures:
    """Figures of `predicted` at one number of labels."""
    table = predicted(labelled, gain, arms)
    return summarise(table, labelled=labelled, fraction=labelled / train, precision=Precision(resamples=299))


def measured(shift: float, seeds: int = 3, count: int = 40) -> dict[int, dict[str, dict]]:
    """Dice of videos that differ, around 0.85 + ``shift``."""
    base = np.random.default_rng(0).normal(0.85, 0.05, count)
    runs = {}
    for seed in range(seeds):
        dice = base + shift + np.random.default_rng([1, seed]).normal(0, 0.01, count)
        runs[seed] = {
            f"v{k}": {
                **{"dice": d, "dice_ed": d, "dice_es": d, "hd95": 4.0, "hd95_ed": 4.0, "hd95_es": 4.0},
                **{"pixels": [90, 200, 45, 100], "ef": 50.0, "ef_masks": 50 + 100 * shift if k else None},
            }
            for k, d in enumerate(dice)
        }
    return runs


def masks_level(arms: Mapping[str, float], resamples: int = 199) -> LevelFigures:
    """Figures of segmentation arms whose Dice differ from 0.85 by ``arms``."""
    runs = {arm: measured(shift) for arm, shift in arms.items()}
    return summarise_masks(runs, labelled=16, fraction=0.03, precision=Precision(resamples=resamples))


def whole(levels: Sequence[LevelFigures], *, task: str = "ef", train: int = 200, verdict: str = "") -> BenchmarkReport:
    """A report of some numbers of labels."""
    levels = correct(levels)
    first = levels[0]
    config = {"data": {"root": "/data/phantoms of ours"}, "model": {"name": "tiny"}}
    config |= {"labels": [level.labelled for level in levels], "generator": {"weights": "bundled"}}
    config |= {"seeds": [0, 1, 2], "arm": dict.fromkeys(first.arms), "clips": 100, "seed": 0, "out": "runs/x"}
    return BenchmarkReport(
        job="benchmark",
        task=task,
        data="phantom",
        seeds=(0, 1, 2),
        label_fraction=first.label_fraction,
        labelled=first.labelled,
        arms=first.arms,
        contrasts=first.contrasts,
        recovered_gain=first.recovered_gain,
        gains=first.gains,
        crossings=first.crossings,
        level=0.95,
        videos=Sizes(train=train, validation=16, test=80),
        steps=400,
        batch_size=16,
        fingerprint="abc",
        clips=(),
        skipped=(),
        notes=(),
        verdict=verdict,
        versions={"python": "3.12"},
        config=config,
        overrides=(),
        trainings=Trainings(count=60, seconds=3600.0),
        machine=Machine(device="cpu", cores=2, system="Linux x86_64"),
        minutes=90.0,
        fractions=tuple(levels) if len(levels) > 1 else (),
    )


def masks_report(shift: float, oracle: float = 0.04) -> BenchmarkReport:
    """A report of a segmentation whose arms differ by these."""
    arms = {"real": 0.0, "classical": 0.001, "synthetic": shift, "oracle": oracle}
    return whole([masks_level(arms)], task="segmentation", train=570)


def answering(number: int, shift: float, *, task: str = "ef") -> BenchmarkReport:
    """A report that answers one primary question, whose first arm is better by ``shift``."""
    pair, arms = "synthetic-real", {"real": 0.0, "synthetic": -shift}
    found = level(16, 1.0, arms) if task == "ef" else masks_level({"real": 0.0, "synthetic": shift})
    report = whole([found], task=task)
    cell = found.contrasts[pair]["mae" if task == "ef" else "dice"]
    asked = PrimaryAnswer(number=number, question="Does it?", pair=pair, labelled=16, videos=80, contrast=cell)
    return replace(report, primary=(asked,))
