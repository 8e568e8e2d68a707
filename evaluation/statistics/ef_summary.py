"""From the predictions of all EF trainings to the figures of the report."""

from collections.abc import Mapping

import numpy as np

from .clinical import CLINICAL, by_range, calibrate
from .columns import crossings
from .comparison import Precision, Table, contrast_arms, measure_arm, pairs_of
from .gain import gains, recovered_gain
from .intervals import Groups
from .metrics import METRICS, Array
from .results import ArmFigures, LevelFigures

PAIRS = (  # besides every arm against `real`
    ("synthetic", "classical"),
    ("synthetic", "pseudo_label"),
    ("synthetic", "mean_teacher"),
    ("synthetic+pseudo_label", "pseudo_label"),
    ("synthetic+classical", "classical"),
    ("synthetic", "oracle"),
    ("synthetic", "peer"),
    ("oracle", "classical"),
    ("synthetic", "classical_strong"),
    ("synthetic", "transport"),
    ("synthetic", "warp"),
    ("synthetic", "self"),
    ("synthetic", "shuffled"),
    ("synthetic", "mixup"),
    ("synthetic_only", "synthetic"),
    ("classical_strong", "classical"),
    ("mixup", "classical_strong"),
    ("mean_teacher+classical_strong", "classical_strong"),
    ("pseudo_label+classical_strong", "classical_strong"),
    ("synthetic+classical_strong", "classical_strong"),
    ("balanced+classical_strong", "classical_strong"),
    ("balanced+classical_strong", "synthetic+classical_strong"),
    ("synthetic+mean_teacher", "mean_teacher+classical_strong"),
    ("transport+classical_strong", "classical_strong"),
    ("synthetic+classical_strong", "transport+classical_strong"),
    ("oracle+classical_strong", "classical_strong"),
    ("oracle+classical_strong", "synthetic+classical_strong"),
    ("pretrained_probe", "classical_strong"),
    ("pretrained_finetuned", "classical_strong"),
    ("synthetic+classical_strong", "pretrained_finetuned"),
    ("synthetic+pretrained_probe", "pretrained_probe"),
    ("synthetic+pretrained_finetuned", "pretrained_finetuned"),
)
COMPARED = {**METRICS, **CLINICAL}


def summarise(table: Table, *, labelled: int, fraction: float, precision: Precision) -> LevelFigures:
    """Return arms, contrasts and recovered gain at one number of labels.

    Args:
        table: EF in percent of the TEST videos, true and predicted by every arm.
        labelled: TRAIN videos that were labelled.
        fraction: share of TRAIN that this is.
        precision: of the intervals.
    """
    arms = {
        arm: arm_figures(table.true, values, precision, table.groups_of(arm)) for arm, values in table.predicted.items()
    }
    pairs = pairs_of(list(arms), PAIRS)
    contrasts = {
        f"{pair[0]}-{pair[1]}": {
            name: contrast_arms(metric, table, pair, precision) for name, metric in COMPARED.items()
        }
        for pair in pairs
    }
    errors: Mapping[str, Array] = {arm: np.abs(values - table.true) for arm, values in table.predicted.items()}
    return LevelFigures(
        label_fraction=fraction,
        labelled=labelled,
        arms=arms,
        contrasts=contrasts,
        recovered_gain=recovered_gain({arm: figures["mae"].mean for arm, figures in arms.items()}, METRICS["mae"]),
        gains=gains(errors, METRICS["mae"], level=precision.level, groups=table.groups_of("synthetic")),
        crossings=crossings(table, pairs),
    )


def arm_figures(true: Array, predicted: Array, precision: Precision, groups: Groups = None) -> ArmFigures:
    """Return all figures of one arm for ``(H,)`` true and ``(S, H)`` predicted EF in percent."""
    return ArmFigures(
        figures={name: measure_arm(metric, true, predicted, precision, groups) for name, metric in COMPARED.items()},
        calibration=calibrate(true, predicted, precision, groups),
        by_range=by_range(true, predicted, precision, groups),
    )
