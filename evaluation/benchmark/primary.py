"""The questions that were declared primary before the run: Holm's correction is over these alone."""

from collections.abc import Sequence
from dataclasses import replace

from ..report.content import PrimaryAnswer
from ..statistics.comparison import Precision, contrast_arms, holm
from .design import Design
from .elsewhere import Columns
from .study_settings import PrimarySettings
from .task import Results, Task


def answer(
    asked: Sequence[PrimarySettings],
    task: Task,
    design: Design,
    place: int,
    own: Results,
    columns: Columns,
    *,
    labelled: int,
    precision: Precision,
) -> list[PrimaryAnswer]:
    """Return the answers that one number of labels gives.

    Args:
        asked: all questions.
        task: of the benchmark.
        design: of the benchmark.
        place: in the list of label counts.
        own: results of its trainings.
        columns: the same nets on further TEST videos.
        labelled: TRAIN videos that are labelled.
        precision: of the intervals.
    """
    found = []
    for one in asked:
        if str(one.labels) != str(design.settings.labels[place]):
            continue
        results = own if one.test is None else columns.results[one.test, place]
        metric, table = task.table(results, design.dealt())
        if one.low is not None or one.high is not None:
            table = table.within(one.low or 0.0, 101.0 if one.high is None else one.high)
        first, second = one.pair.split("-")
        found.append(
            PrimaryAnswer(
                number=one.number,
                question=one.question,
                pair=one.pair,
                labelled=labelled,
                videos=len(table.videos),
                test=one.test or "",
                low=one.low,
                high=one.high,
                contrast=contrast_arms(metric, table, (first, second), precision),
            )
        )
    return found


def correct_family(answers: Sequence[PrimaryAnswer]) -> list[PrimaryAnswer]:
    """Return the answers in the order of their numbers, with Holm's p over all that have one."""
    ordered = sorted(answers, key=lambda one: one.number)
    tested = [one.contrast.p for one in ordered if one.contrast.p is not None]
    corrected = iter(holm(tested))
    return [
        one
        if one.contrast.p is None
        else replace(one, contrast=replace(one.contrast, p_holm=next(corrected), tests=len(tested)))
        for one in ordered
    ]
