"""The settled question as a document: every sentence follows from the figures of the reports."""

import copy
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from echo_augment.cache.errors import EchoAugmentError

from ..report import segmentation_report as seg_report
from ..report.pages import Section, Words, document_command, write_document
from ..report.tables import Table, arm_table, command, contrast_table, interval, number, p_words, run_table
from ..statistics.intervals import correct
from .evidence import ACCEPTANCE, HALF, HARM, Answer, ask, what_limits

NAME = "evidence-phantom"
FOLDERS = ("ef", "harm", "segmentation")
LIMITS = (
    "Phantoms only; nothing here was run on real hearts. What helps on procedural hearts need not help on patients.\n"
    "The generator was trained on phantoms of the same kind, though not on these: real hearts may differ more from "
    "what a generator was trained on.\n"
    "Small nets and few steps: a larger net, more steps or another recipe may gain more or less.\n"
    "The seeds redraw the labelled hearts and the training; the TEST hearts are the same for all seeds, and the "
    "intervals speak of hearts like these."
)


Report = Mapping[str, Any]


def joined(few: Report | None, more: Report | None) -> Report | None:
    """One report of both EF benchmarks, the one of few labels and the one that asks for harm, if both are there.

    Holm's correction is over the numbers of labels of both.
    """
    if few is None or more is None:
        return few or more
    levels = [copy.deepcopy(dict(level)) for report in (few, more) for level in report.get("fractions") or [report]]
    correct(levels)
    return {**few, "fractions": levels}


def document(found: Mapping[str, Report], earlier: Sequence[str] = ()) -> list[Section]:
    """The sections of the document.

    Args:
        found: ``report.json`` of the benchmarks that were run, by folder.
        earlier: names of the documents of earlier runs, beside this one.
    """
    ef, masks = joined(found.get("ef"), found.get("harm")), found.get("segmentation")
    answers = ask(ef, masks)
    sections = [
        Section("Does synthetic augmentation help? Phantoms", [Words(summary(answers), "verdict"), Words(AIM)]),
        Section("What was to be reached", [answer_table(answers[:ACCEPTANCE]), _sentences(answers[:ACCEPTANCE])]),
        Section("What explains it", [answer_table(answers[ACCEPTANCE:]), _sentences(answers[ACCEPTANCE:])]),
        Section("What limits it", [Words("\n".join(what_limits(ef)), "list")]),
    ]
    for report, arms, contrasts in (
        (ef, arm_table, contrast_table),
        (masks, seg_report.arm_table, seg_report.contrast_table),
    ):
        if report is None:
            continue
        for level in report.get("fractions") or [report]:
            whole = {**report, **level}
            sections.append(Section(f"{_task(report)}, {level['labelled_hearts']} labelled hearts", [arms(whole)]))
            sections.append(Section("Differences between these arms", [contrasts(whole)]))
    for report in found.values():
        parts: list[Any] = [run_table(report), Words("Run it again, with all others: make evidence. This one alone:")]
        parts += [Words(command(report), "code"), Words(OmegaConf.to_yaml(report["config"]).rstrip(), "yaml")]
        if report["notes"]:
            parts.append(Words("\n".join(report["notes"]), "list"))
        labels = ", ".join(str(count) for count in report["config"]["labels"])
        sections.append(Section(f"What was run: {_task(report)}, labels {labels}", parts))
    if earlier:
        told = "\n".join(f"[{name}]({name}), on other hearts" for name in earlier)
        sections.append(Section("Earlier runs", [Words(told, "list")]))
    return [*sections, Section("Limits", [Words(LIMITS, "list")])]


AIM = (
    "What was to be reached was asked before the figures of this run were there; what explains it, in part afterwards. "
    "Each difference is paired by TEST heart and seed; intervals are over hearts and seeds. A difference counts as "
    "shown where its interval leaves zero out and its p after Holm's correction over the numbers of labels is small "
    f"enough, too; no harm, where the whole interval is below {HARM} EF points. Whether a share of the oracle's gain "
    'is reached, the estimate says. "Detectable" is the true difference that this design would have found with 80 % '
    "power."
)


def _task(report: Mapping[str, Any]) -> str:
    return "LV segmentation" if report["task"] == "segmentation" else "EF"


def summary(answers: Sequence[Answer]) -> str:
    """One sentence on what was to be reached."""
    asked = answers[:ACCEPTANCE]
    counts = {word: sum(one.answer == word for one in asked) for word in ("yes", "no", "not shown", "not measured")}
    if counts["yes"] == len(asked):
        return f"All {len(asked)} questions of the acceptance: yes. On phantoms; real hearts were not tried."
    parts = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"Of the {len(asked)} questions of the acceptance: {parts}. On phantoms; real hearts were not tried."


def _form(answer: Answer) -> str:
    return {"EF points": "+.2f", "Dice": "+.3f", "hearts": ".0f"}.get(answer.unit, ".2f")


def answer_table(answers: Sequence[Answer]) -> Table:
    """The answers with their figures."""
    rows = []
    for one in answers:
        form = _form(one)
        value = number(one.value, form) + (f" {one.unit}" if one.unit and one.value is not None else "")
        ends, found = interval(one.ci, form), number(one.detectable, form.lstrip("+"))
        rows.append([one.question, one.answer, value, ends, p_words(one.p), p_words(one.p_holm), found])
    return Table(["question", "answer", "difference or share", "interval", "p", "p (Holm)", "detectable"], rows)


def _sentences(answers: Sequence[Answer]) -> Words:
    return Words("\n".join(map(sentence, answers)), "list")


def sentence(one: Answer) -> str:
    """An answer in words."""
    if one.answer == "not measured" or one.value is None:
        return f"{one.question} Not measured."
    form = _form(one)
    text = f"{one.question} {one.answer.capitalize()}: {one.value:{form}} {one.unit}"
    if one.ci is None:
        return f"{text}." if one.unit == "hearts" else f"{text}; there is no interval: {one.reason}."
    text += f" ({interval(one.ci, form)})."
    if one.unit == "of the oracle's gain":
        low, high = one.ci
        if low < HALF <= high:
            text += " The estimate answers; the interval holds shares below and above a half."
    elif one.answer == "not shown" and one.detectable is not None:
        text += f" A true difference of {one.detectable:{form.lstrip('+')}} would have been found with 80 % power."
    return text


def write(folder: Path, docs: Path) -> Path:
    """Write the document and its JSON, and return the document's path.

    Args:
        folder: with ``ef/report.json``, ``harm/report.json`` and ``segmentation/report.json``, or some of them.
        docs: where they go; made where it is missing.

    Raises:
        EchoAugmentError: there is none of these reports.
    """
    paths = {name: folder / name / "report.json" for name in FOLDERS}
    found = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.is_file()}
    if not found:
        raise EchoAugmentError(f"{folder}: has no report.json in {', '.join(FOLDERS)}", "make evidence")
    ef, masks = joined(found.get("ef"), found.get("harm")), found.get("segmentation")
    answers = ask(ef, masks)
    told = {"summary": summary(answers), "acceptance": [one.plain() for one in answers[:ACCEPTANCE]]}
    told |= {"explains": [one.plain() for one in answers[ACCEPTANCE:]], "limits_it": what_limits(ef)}
    earlier = sorted(path.name for path in docs.glob(f"{NAME}-*.md"))
    return write_document(docs, NAME, document(found, earlier), {**told, "reports": found})


def main(arguments: Sequence[str]) -> int:
    """``python -m echo_augment.evaluation.studies.evidence_page FOLDER DOCS``."""
    return document_command("evidence_page", write, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
