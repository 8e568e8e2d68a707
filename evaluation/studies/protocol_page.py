"""The page of the protocol's run: verdict, ten answers, arms, EF by range, grids, what made the clips, costs, limits.

    python -m echo_augment.evaluation.studies.protocol_page FOLDER DOCS

reads ``report.json`` of every part in FOLDER and writes ``phantom.md``, ``phantom.json`` and ``figures/`` into DOCS.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from echo_augment.cache.system.files import write_json

from ..report import ef_report, segmentation_report
from ..report.content import BenchmarkReport
from ..report.first_lines import made_by
from ..report.pages import Picture, Section, Words, write_figures
from ..report.plots import plot_arms
from ..report.sections import command
from ..report.study_tables import column_table, crossing_table, range_table, tuning_table
from ..report.tables import MISSING, Table, contrast_table, interval, number, p_words
from ..report.verdict import JUDGED
from .documents import document_command, write_document
from .protocol import MISSING as NOT_MEASURED
from .protocol import OPEN, QUESTIONS, YES, Answer, answers, read_parts, verdict, why

NAME = "phantom"
ARM_TABLES = {"ef": ef_report.arm_table, "segmentation": segmentation_report.arm_table}
AIM = (
    "The questions, opponents, controls and hearts were fixed before anything was run. Each difference is paired by "
    "TEST video and seed; intervals are over videos, seeds and generators. p is corrected by Holm over the questions "
    'of this table; every other difference on this page is exploratory, and called so. "16 labels" are 12 that train '
    'and 4 that select; 64 are 48 and 16. "Detectable" is the true difference that would have been found with 80 % '
    "power. Tuning, generators and both nets saw no VAL or TEST video of the final hearts but those 4 or 16."
)
LIMITS = (
    "Phantoms only; nothing here was run on real patients. What helps on procedural hearts need not help on them.\n"
    "The generator learned from phantoms of the same sampler: real patients may differ more from what it saw.\n"
    "Small nets and few steps: a larger net, more steps or another recipe may gain more or less.\n"
    "How much generators differ is known from three of them; the intervals are as wide as that asks.\n"
    "The TEST videos are the same for all seeds; the intervals speak of phantoms like these."
)
HISTORY = (
    "Four earlier runs, on other phantoms and with other generators, stand in one table: [history.md](history.md)."
)
NO_DIFFUSION = "Every question on what clips add was answered with no or not shown."


def document(found: Mapping[str, BenchmarkReport]) -> list[Section]:
    """Return the sections of the page.

    Args:
        found: reports by part.
    """
    told = answers(found)
    first: list[Table | Picture | Words] = [
        Words(" ".join(verdict(told, found)), "verdict"),
        Words(AIM),
        answer_table(told, found),
    ]
    if not any(one.answer == YES for one in told):
        first.insert(1, Words(NO_DIFFUSION))
    sections = [Section("Does synthetic augmentation help? Phantoms", first)]
    open_ones = [one for one in told if one.answer not in (YES, NOT_MEASURED)]
    if reasons := [line for one in open_ones for line in why(one, found)]:
        sections.append(Section("Why not: what the controls say", [Words("\n".join(reasons), "list")]))
    for part, report in found.items():
        sections += part_sections(part, report)
    sections.append(Section("What was tuned", tuning_parts(found)))
    sections.append(Section("What made the clips", [Words("\n".join(clip_lines(found)), "list")]))
    sections.append(Section("What it cost", [cost_table(found)]))
    sections.append(Section("Earlier runs", [Words(HISTORY)]))
    return [*sections, Section("Limits", [Words(LIMITS, "list")])]


def answer_table(told: Sequence[Answer], found: Mapping[str, BenchmarkReport]) -> Table:
    """Return the ten answers with their figures, and the same difference with the second net."""
    rows = []
    for one in told:
        if one.asked is None:
            rows.append([str(one.number), NOT_MEASURED, *[MISSING] * 8])
            continue
        asked, cell, judged = one.asked, one.asked.contrast, JUDGED[found[one.part].task]
        signed = "+" + judged.form
        again = MISSING if one.again is None else f"{number(one.again.diff, signed)} ({interval(one.again.ci, signed)})"
        rows.append(
            [
                f"{one.number}. {asked.question}",
                one.answer,
                f"{asked.pair.replace('-', ' against ', 1)} ({asked.videos} videos)",
                f"{number(cell.diff, signed)} {judged.unit}",
                interval(cell.ci, signed),
                p_words(cell.p),
                p_words(cell.p_holm),
                number(cell.detectable, judged.form),
                again,
                one.part,
            ]
        )
    header = ["question", "answer", "arms", "difference", "95 % interval", "p", "p (Holm)", "detectable", "second net"]
    measured = sum(one.asked is not None for one in told)
    notes = [f"Holm's correction is over the {measured} of {QUESTIONS} questions that were measured."]
    return Table([*header, "part"], rows, notes)


def part_sections(part: str, report: BenchmarkReport) -> list[Section]:
    """Return the arms, the differences, EF by range, patients who change sides, and further TEST videos of a part."""
    judged, sections = JUDGED[report.task], []
    for level in report.levels:
        plot = Picture(
            f"{part}-{level.labelled}", plot_arms(level.arms, judged), f"{judged.name} of the arms of {part}."
        )
        arms = ARM_TABLES[report.task](level, report.level)
        sections.append(Section(f"{part}: arms", [plot, arms]))
        tables = [contrast_table(level, report.level, judged)]
        if report.task == "ef":
            tables += [range_table(level), crossing_table(level)]
        sections.append(Section(f"{part}: differences (exploratory, but for the questions above)", tables))
    for column in report.tests:
        tables = [column_table(one, report.level, judged) for one in column.levels]
        sections.append(Section(f"{part}: the same nets, {column.name}", tables))
    parts: list[Table | Words] = [Words("Run it again, with all others: make protocol. This one alone:")]
    parts.append(Words(command(report), "code"))
    if report.notes:
        parts.append(Words("\n".join(report.notes), "list"))
    return [*sections, Section(f"{part}: how it was run", parts)]


def tuning_parts(found: Mapping[str, BenchmarkReport]) -> list[Table | Words]:
    """Return the grids of every part that tuned something."""
    parts: list[Table | Words] = []
    for part, report in found.items():
        own = [one for one in report.tuning if not one.taken_from]
        if own:
            parts += [Words(f"In {part}:"), tuning_table(own, JUDGED[report.task])]
    return parts or [Words("Nothing was tuned.")]


def clip_lines(found: Mapping[str, BenchmarkReport]) -> list[str]:
    """Return what made the clips of every part, each line once, with the parts that it is about."""
    parts: dict[str, list[str]] = {}
    for part, report in found.items():
        for line in made_by(report.made):
            parts.setdefault(line, []).append(part)
    return [f"{line} ({', '.join(names)})" for line, names in parts.items()] or ["No clips were made."]


def cost_table(found: Mapping[str, BenchmarkReport]) -> Table:
    """Return trainings, their hours, clips and the time of their making, of every part."""
    rows = []
    for part, report in found.items():
        done, made = report.trainings, sum(one.made for one in report.clips)
        hours = MISSING if done is None else f"{done.seconds / 3600:.1f}"
        filling = sum(one.seconds for one in report.clips) / 3600
        machine = MISSING if report.machine is None else f"{report.machine.device}, {report.machine.cores} cores"
        count = MISSING if done is None else str(done.count)
        rows.append(
            [part, count, hours, str(sum(one.sealed for one in report.clips)), f"{filling:.1f} ({made} made)", machine]
        )
    notes = [
        "Trainings of the tuning and of the generators are not counted here; what another part had done costs nothing."
    ]
    return Table(["part", "trainings", "hours in all", "clips", "hours of filling", "machine"], rows, notes)


def write(folder: Path, docs: Path) -> Path:
    """Write the page, its figures and its JSON, and return the page's path.

    Args:
        folder: with the parts' folders.
        docs: where they go; made if it is missing.

    Raises:
        EchoAugmentError: there is no part's report.
    """
    found = read_parts(folder)
    sections = document(found)
    write_figures(docs, sections)
    page = write_document(docs, NAME, sections)
    told = answers(found)
    counts = {word: sum(one.answer == word for one in told) for word in (YES, "no", OPEN, NOT_MEASURED)}
    write_json(
        docs / f"{NAME}.json",
        {
            "verdict": verdict(told, found),
            "counts": counts,
            "answers": [one.to_json() for one in told],
            "parts": {
                part: {
                    "overrides": list(report.overrides),
                    "fingerprint": report.fingerprint,
                    "versions": dict(report.versions),
                }
                for part, report in found.items()
            },
        },
    )
    return page


def main(arguments: Sequence[str]) -> int:
    """Do ``python -m echo_augment.evaluation.studies.protocol_page FOLDER DOCS``."""
    return document_command("protocol_page", write, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
