"""One figure of all arms over a table: on further TEST videos, within a range of EF, or on other labels; crossings."""

from collections.abc import Sequence

from .clinical import CUTS
from .comparison import Precision, Table, contrast_arms, measure_arm
from .metrics import Metric
from .results import ColumnLevel, Crossing

Pairs = Sequence[tuple[str, str]]


def column(metric: Metric, table: Table, pairs: Pairs, precision: Precision, *, labelled: int) -> ColumnLevel:
    """Return a figure of every arm and pair.

    Args:
        metric: the figure.
        table: predictions of the videos.
        pairs: of arms that are compared.
        precision: of the intervals.
        labelled: TRAIN videos that were labelled.
    """
    return ColumnLevel(
        labelled=labelled,
        videos=len(table.videos),
        arms={
            arm: measure_arm(metric, table.true, values, precision, table.groups_of(arm))
            for arm, values in table.predicted.items()
        },
        contrasts={f"{pair[0]}-{pair[1]}": contrast_arms(metric, table, pair, precision) for pair in pairs},
    )


def crossings(table: Table, pairs: Pairs) -> tuple[Crossing, ...]:
    """Return how many videos the first arm of each pair puts on another side of `CUTS` than the second.

    Args:
        table: true and predicted EF in percent.
        pairs: of arms.

    >>> import numpy as np
    >>> predicted = {"new": np.array([[38.0, 45.0]]), "old": np.array([[44.0, 62.0]])}
    >>> table = Table(["a", "b"], np.array([35.0, 60.0]), predicted)
    >>> [(one.cut, one.righted, one.wronged) for one in crossings(table, [("new", "old")])]
    [(50, 0.0, 1.0), (40, 1.0, 0.0)]
    """
    found = []
    for first, second in pairs:
        for cut in CUTS:
            right = {arm: (table.predicted[arm] < cut) == (table.true < cut) for arm in (first, second)}
            righted = (right[first] & ~right[second]).sum(1).mean()
            wronged = (~right[first] & right[second]).sum(1).mean()
            pair = f"{first}-{second}"
            found.append(
                Crossing(pair=pair, cut=cut, videos=len(table.videos), righted=float(righted), wronged=float(wronged))
            )
    return tuple(found)
