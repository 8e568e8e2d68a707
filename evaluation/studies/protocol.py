"""The run of docs/evidence/phantom.md: its parts, its ten questions over all parts, and what stands behind a "no".

`echo_augment.evaluation.studies.protocol_page` tells it; ``make protocol`` runs it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from ..benchmark.primary import correct_family
from ..report.content import BenchmarkReport, PrimaryAnswer
from ..report.verdict import JUDGED, decide
from ..statistics.records import Record
from ..statistics.results import Contrast

QUESTIONS = 10
PARTS = {
    "ef-16": "protocol_16",
    "ef-16-more": "protocol_16_more",
    "ef-64": "protocol_64",
    "masks": "protocol_masks",
    "shift": "protocol_shift",
    "ef-16-small": "protocol_16_small",
    "ef-64-small": "protocol_64_small",
}
"""Experiment by the folder of its report. The family of primary questions is over the parts with the first net."""

SMALL = "-small"
YES, NO, OPEN, MISSING = "yes", "no", "not shown", "not measured"
ANSWERS = {"helped": YES, "harmed": NO, "no difference": OPEN, "unknown": MISSING}
CONTROLS: Mapping[int, Sequence[tuple[str, str, str]]] = {
    1: (("ef-16-more", "oracle+classical_strong-classical_strong", "exact counterfactuals in the clips' place"),),
    2: (("ef-16-more", "oracle+classical_strong-classical_strong", "exact counterfactuals at 16 labels"),),
    3: (("ef-16-more", "synthetic-oracle", "clips against exact counterfactuals"),),
    4: (("ef-16-more", "synthetic-oracle", "clips against exact counterfactuals"),),
    5: (
        ("ef-16-more", "oracle+classical_strong-classical_strong", "exact counterfactuals beside strong augmentation"),
    ),
    6: (("ef-16-more", "oracle+classical_strong-classical_strong", "exact counterfactuals at 16 labels"),),
    7: (("ef-64", "balanced+classical_strong-synthetic+classical_strong", "balanced clips against unbalanced ones"),),
    8: (("masks", "oracle+classical_strong-classical_strong", "exact counterfactuals with their masks"),),
    9: (("masks", "oracle+classical_strong-classical_strong", "exact counterfactuals with their masks"),),
    10: (("shift", "oracle+classical_strong-classical_strong", "exact counterfactuals of the same scanner"),),
}
"""By question: the controls that say why clips may not help. Part, pair, and what the first arm has, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Record):
    """The answer to a primary question.

    Attributes:
        answer: ``yes``; ``no``: the opposite was shown; ``not shown``: the data allow both; ``not measured``.
        part: folder of the report.
        asked: the question with its figures; None where it was not measured.
        number: of the question.
        again: the same difference with the second net; None where that was not measured.
    """

    number: int
    answer: str
    part: str = ""
    asked: PrimaryAnswer | None = None
    again: Contrast | None = None


def read_parts(folder: Path) -> dict[str, BenchmarkReport]:
    """Return the reports that are there, by part.

    Raises:
        EchoAugmentError: there is none.
    """
    paths = {part: folder / part / "report.json" for part in PARTS}
    found = {
        part: BenchmarkReport.from_json(json.loads(path.read_text(encoding="utf-8")))
        for part, path in paths.items()
        if path.is_file()
    }
    if not found:
        raise EchoAugmentError(f"{folder}: has no report.json in {', '.join(PARTS)}", "make protocol")
    return found


def answers(found: Mapping[str, BenchmarkReport]) -> list[Answer]:
    """Return the ten answers; Holm's correction is over all that were measured with the first net, whatever their part.

    Args:
        found: reports by part.
    """
    asked = {
        one.number: (part, one) for part, report in found.items() if not part.endswith(SMALL) for one in report.primary
    }
    family = {one.number: one for one in correct_family([one for _, one in asked.values()])}
    told = []
    for number in range(1, QUESTIONS + 1):
        if number not in family:
            told.append(Answer(number=number, answer=MISSING))
            continue
        (part, _), one = asked[number], family[number]
        report = found[part]
        better = JUDGED[report.task].smaller_is_better
        answer = ANSWERS[decide(one.contrast, report.level, smaller_is_better=better)]
        again = _again(found.get(part + SMALL), one)
        told.append(Answer(number=number, answer=answer, part=part, asked=one, again=again))
    return told


def _again(report: BenchmarkReport | None, one: PrimaryAnswer) -> Contrast | None:
    """Return the same difference in another report, where it is over the same videos."""
    if report is None or one.test or one.low is not None or one.high is not None:
        return None
    return report.contrast(one.pair, JUDGED[report.task].metric)


def why(one: Answer, found: Mapping[str, BenchmarkReport]) -> list[str]:
    """Return what the controls say about a question that was not answered with yes."""
    lines = []
    for part, pair, words in CONTROLS[one.number]:
        report = found.get(part)
        if report is None:
            continue
        judged = JUDGED[report.task]
        cell = report.contrast(pair, judged.metric)
        if cell is not None:
            answer = judged.answer(cell, report.level)
            lines.append(f"{one.number}: {words}: {judged.difference(cell)}, {answer}")
    return lines


def verdict(told: Sequence[Answer], found: Mapping[str, BenchmarkReport]) -> list[str]:
    """Return three sentences: what helps, what does not, and where it was measured."""
    yes = [one for one in told if one.answer == YES]
    rest = {word: [one for one in told if one.answer == word] for word in (NO, OPEN, MISSING)}
    helps = f"Shown to help, of {QUESTIONS} questions asked before the run: {_numbers(yes)}."
    parts = {NO: "shown to do harm", OPEN: "not shown", MISSING: "not measured"}
    against = "; ".join(f"{parts[word]}: {_numbers(those)}" for word, those in rest.items() if those)
    some = next(iter(found.values()))
    data = some.config.get("data", {})
    noise = f"{data.get('label_noise') or 0:g} EF points"
    where = (
        f"Measured on phantoms (format {data.get('format')}, labels with an error of {noise}), "
        f"{some.videos.test} TEST videos, small nets; real patients were not tried."
    )
    return [helps, f"{against[:1].upper()}{against[1:]}." if against else "No question was left open.", where]


def _numbers(those: Sequence[Answer]) -> str:
    named = [f"{one.number}" + (f" ({_short(one.asked)})" if one.asked else "") for one in those]
    return ", ".join(named) or "none"


def _short(one: PrimaryAnswer) -> str:
    return f"{one.pair.replace('-', ' against ', 1)}{', on ' + one.test if one.test else ''}"
