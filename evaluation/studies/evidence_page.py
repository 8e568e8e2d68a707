"""The settled question as a document: every sentence follows from the figures of the reports."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import write_json

from ..report import ef_report, segmentation_report
from ..report.content import BenchmarkReport
from ..report.pages import Section, Words
from ..report.sections import command, run_table
from ..report.tables import Table, contrast_table, interval, number, p_words
from ..report.verdict import JUDGED
from ..statistics.comparison import correct
from .documents import document_command, write_document
from .evidence import ACCEPTANCE, HALF, HARM, Answer, ask, what_limits

NAME = "phantom"
FOLDERS = ("ef", "harm", "segmentation")
LIMITS = (
    "Phantoms only; nothing here was run on real patients. What helps on procedural hearts need not help on them.\n"
    "The generator was trained on phantoms of the same kind, though not on these: real patients may differ more from "
    "what a generator was trained on.\n"
    "Small nets and few steps: a larger net, more steps or another recipe may gain more or less.\n"
    "The seeds redraw the labelled videos and the training; the TEST videos are the same for all seeds, and the "
    "intervals speak of phantoms like these."
)

HISTORY = "Earlier runs, on other phantoms and with other generators: [history.md](history.md)."
ARM_TABLES = {"ef": ef_report.arm_table, "segmentation": segmentation_report.arm_table}
TASKS = {"ef": "EF", "segmentation": "LV segmentation"}


def joined(few: BenchmarkReport | None, more: BenchmarkReport | None) -> BenchmarkReport | None:
    """Return one report of both EF benchmarks, the one of few labels and the one that asks for harm, if both are there.

    Holm's correction is over the numbers of labels of both.
    """
    if few is None or more is None:
        return few or more
    return replace(few, fractions=tuple(correct([*few.levels, *more.levels])))


def document(found: Mapping[str, BenchmarkReport]) -> list[Section]:
    """Return the sections of the document.

    Args:
        found: reports of the benchmarks that were run, by folder.
    """
    ef, masks = joined(found.get("ef"), found.get("harm")), found.get("segmentation")
    answers = ask(ef, masks)
    sections = [
        Section("Does synthetic augmentation help? Phantoms", [Words(summary(answers), "verdict"), Words(AIM)]),
        Section("What was to be reached", [answer_table(answers[:ACCEPTANCE]), _sentences(answers[:ACCEPTANCE])]),
        Section("What explains it", [answer_table(answers[ACCEPTANCE:]), _sentences(answers[ACCEPTANCE:])]),
        Section("What limits it", [Words("\n".join(what_limits(ef)), "list")]),
    ]
    for report in (ef, masks):
        if report is not None:
            sections += level_sections(report)
    sections += [run_section(report) for report in found.values()]
    return [*sections, Section("Earlier runs", [Words(HISTORY)]), Section("Limits", [Words(LIMITS, "list")])]


def level_sections(report: BenchmarkReport) -> list[Section]:
    """Return the arms and the differences between them at every number of labels."""
    judged, several, sections = JUDGED[report.task], len(report.levels) > 1, []
    for level in report.levels:
        arms = ARM_TABLES[report.task](level, report.level)
        contrasts = contrast_table(level, report.level, judged, several=several)
        sections.append(Section(f"{TASKS[report.task]}, {level.labelled} labelled videos", [arms]))
        sections.append(Section("Differences between these arms", [contrasts]))
    return sections


def run_section(report: BenchmarkReport) -> Section:
    """Return what was run, how to run it again, and its whole configuration."""
    parts: list[Table | Words] = [
        run_table(report),
        Words("Run it again, with all others: make evidence. This one alone:"),
    ]
    parts += [Words(command(report), "code"), Words(OmegaConf.to_yaml(report.config).rstrip(), "yaml")]
    if report.notes:
        parts.append(Words("\n".join(report.notes), "list"))
    labels = ", ".join(str(count) for count in report.config["labels"])
    return Section(f"What was run: {TASKS[report.task]}, labels {labels}", parts)


AIM = (
    "What was to be reached was asked before the figures of this run were there; what explains it, in part afterwards. "
    "Each difference is paired by TEST video and seed; intervals are over videos and seeds. A difference counts as "
    "shown where its interval leaves zero out and its p after Holm's correction over the numbers of labels is small "
    f"enough, too; no harm, where the whole interval is below {HARM} EF points. Whether a share of the oracle's gain "
    'is reached, the estimate says. "Detectable" is the true difference that this design would have found with 80 % '
    "power."
)


def summary(answers: Sequence[Answer]) -> str:
    """Return one sentence on what was to be reached."""
    asked = answers[:ACCEPTANCE]
    counts = {word: sum(one.answer == word for one in asked) for word in ("yes", "no", "not shown", "not measured")}
    if counts["yes"] == len(asked):
        return f"All {len(asked)} questions of the acceptance: yes. On phantoms; real patients were not tried."
    parts = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"Of the {len(asked)} questions of the acceptance: {parts}. On phantoms; real patients were not tried."


def _form(answer: Answer) -> str:
    return {"EF points": "+.2f", "Dice": "+.3f", "videos": ".0f"}.get(answer.unit, ".2f")


def answer_table(answers: Sequence[Answer]) -> Table:
    """Return the answers with their figures."""
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
    """Return an answer in words."""
    if one.answer == "not measured" or one.value is None:
        return f"{one.question} Not measured."
    form = _form(one)
    text = f"{one.question} {one.answer.capitalize()}: {one.value:{form}} {one.unit}"
    if one.ci is None:
        return f"{text}." if one.unit == "videos" else f"{text}; there is no interval: {one.reason}."
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
        docs: where they go; made if it is missing.

    Raises:
        EchoAugmentError: there is none of these reports.
    """
    paths = {name: folder / name / "report.json" for name in FOLDERS}
    found = {
        name: BenchmarkReport.from_json(json.loads(path.read_text(encoding="utf-8")))
        for name, path in paths.items()
        if path.is_file()
    }
    if not found:
        raise EchoAugmentError(f"{folder}: has no report.json in {', '.join(FOLDERS)}", "make evidence")
    ef = joined(found.get("ef"), found.get("harm"))
    answers = ask(ef, found.get("segmentation"))
    page = write_document(docs, NAME, document(found))
    told = {
        "summary": summary(answers),
        "acceptance": [one.to_json() for one in answers[:ACCEPTANCE]],
        "explains": [one.to_json() for one in answers[ACCEPTANCE:]],
        "limits_it": what_limits(ef),
        "reports": {name: report.to_json() for name, report in found.items()},
    }
    write_json(docs / f"{NAME}.json", told)
    return page


def main(arguments: Sequence[str]) -> int:
    """Do ``python -m echo_augment.evaluation.studies.evidence_page FOLDER DOCS``."""
    return document_command("evidence_page", write, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
