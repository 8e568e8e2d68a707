"""The true-size run as a document: what each step took, and what did not end."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from echo_augment.cache.system.files import write_json
from echo_augment.cache.system.processes import usable_cores

from ..report.pages import Section, Words
from ..report.tables import Table
from ..statistics.records import Record
from .documents import write_document
from .true_size_data import FPS, LONGEST, SHORTEST, VIDEOS, plan_videos, split_sizes
from .watching import Watched

NAME = "true-size"
BOUND = 6e9  # bytes of memory
AIM = (
    "Do the jobs get through a data set of EchoNet-Dynamic's size on a small machine? Each was run once, as a process "
    "of its own; networks had one step of training, so their times say nothing of a training. Bound: {bound:.0f} GB of "
    "memory for all processes of a job together."
)
MADE = (
    "{videos} videos ({splits}), {shortest} to {longest} frames ({total:.2f} million in all), {slowest:g} to "
    "{fastest:g} frames per second, {usual:.0%} of them at 50: lengths and rates drawn as EchoNet-Dynamic's table has "
    "them, the longest and the shortest in every split. The pictures are phantoms', whose films were cut anew: not "
    "patients, and nothing to judge a generator or a net by."
)
LIMITS = (
    "One run, on one machine with other work on it: a time is an upper bound of what the job takes alone.\n"
    "Memory is that of the job's processes (anonymous and shared pages, twice a second; a page that several "
    "share counts once). Mapped files are the kernel's to drop; the column beside it has them in.\n"
    "Speckle of phantoms compresses in its own way: a store of real videos has another size."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures(Record):
    """What one step took.

    Attributes:
        name: of the step.
        what: it does.
        watched: time and memory.
        disk: bytes that its folder has in the end; 0 if it did not end.
        last: what it said last, if it did not end.
    """

    name: str
    what: str
    watched: Watched
    disk: int = 0
    last: str = ""

    @property
    def ended(self) -> str:
        """Whether it ended, in words."""
        if self.watched.done:
            return f"after {self.watched.starts} starts" if self.watched.starts > 1 else "yes"
        if not self.watched.starts:
            return "not begun"
        return f"no; stopped at: {self.last}" if self.last else "no: stopped"

    def cells(self) -> list[str]:
        """Return the step's line of the table."""
        if not self.watched.starts:
            return [f"`{self.name}`", self.what, "", "", "", "", self.ended]
        memory = [f"{size / 1e9:.2f}" for size in (self.watched.memory, self.watched.resident)]
        disk = f"{self.disk / 1e9:.2f}" if self.watched.done else ""
        return [f"`{self.name}`", self.what, f"{self.watched.seconds / 60:.1f}", *memory, disk, self.ended]

    def text(self) -> str:
        """Return the figures in a line."""
        seconds, memory, disk = self.watched.seconds, self.watched.memory / 1e9, self.disk / 1e9
        return f"{self.name}: {seconds:.0f} s, {memory:.2f} GB of memory, {disk:.2f} GB on disk"


def verdict(steps: Sequence[StepFigures]) -> str:
    """Return the answer in two sentences."""
    done = [step for step in steps if step.watched.done]
    ran = [step for step in steps if step.watched.starts]
    if not ran:
        return "Nothing was run."
    most = max(ran, key=lambda step: step.watched.memory)
    within = "within" if most.watched.memory <= BOUND else "above"
    left = [f"`{step.name}`" for step in steps if not step.watched.done]
    minutes = sum(step.watched.seconds for step in ran) / 60
    told = f"{len(done)} of {len(steps)} steps ended, in {minutes:.0f} minutes together" + (
        f"; not {', '.join(left)}." if left else "."
    )
    return f"{told} The most memory: {most.watched.memory / 1e9:.2f} GB (`{most.name}`), {within} the bound."


def limits(steps: Sequence[StepFigures]) -> str:
    """Return what the figures do not say, a line each."""
    counted = [f"`{step.name}`" for step in steps if step.watched.starts and not step.watched.shared_once]
    if not counted:
        return LIMITS
    return (
        f"{LIMITS}\nWatched when a shared page still counted for each process, so at most that: {', '.join(counted)}."
    )


def made_of(videos: int) -> str:
    """Return what the data set is, in words."""
    planned = plan_videos(videos)
    rates, lengths = [video.fps for video in planned], [video.frames for video in planned]
    return MADE.format(
        videos=f"{videos:,}",
        splits=", ".join(f"{split} {count:,}" for split, count in split_sizes(videos).items()),
        shortest=SHORTEST,
        longest=f"{LONGEST:,}",
        total=sum(lengths) / 1e6,
        slowest=min(rates),
        fastest=max(rates),
        usual=sum(rate == FPS for rate in rates) / videos,
    )


def machine() -> str:
    """Return what the machine is, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{usable_cores()} CPU cores ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()}), {memory:.0f} GB"
        f" of memory, no GPU used; Python {platform.python_version()}, torch {torch.__version__}."
    )


def write_page(docs: Path, steps: Sequence[StepFigures], videos: int, needed: Mapping[str, float]) -> Path:
    """Write the document and its JSON, and return the document's path.

    Args:
        docs: folder for both; made if it is missing.
        steps: all steps, run or not.
        videos: how many.
        needed: GB of disk by kind, as stated before the start.
    """
    header = ["step", "what it does", "minutes", "memory, GB", "with mapped files", "its folder, GB", "ended"]
    disk = ", ".join(f"{kind} {size:.1f}" for kind, size in needed.items())
    size = "EchoNet-Dynamic's size" if videos == VIDEOS else f"{videos:,} videos"
    sections = [
        Section(f"The jobs at {size}", [Words(verdict(steps), "verdict"), Words(AIM.format(bound=BOUND / 1e9))]),
        Section("What each step took", [Table(header, [step.cells() for step in steps]), Words(machine())]),
        Section("The data set", [Words(made_of(videos)), Words(f"Disk stated before the start, in GB: {disk}.")]),
        Section("Run it again", [Words("make true-size", "code"), Words("Killed, the same command goes on.")]),
        Section("Limits", [Words(limits(steps), "list")]),
    ]
    docs.mkdir(parents=True, exist_ok=True)
    write_json(
        docs / f"{NAME}.json", {"videos": videos, "disk": dict(needed), "steps": [one.to_json() for one in steps]}
    )
    return write_document(docs, NAME, sections)


def read_page(docs: Path) -> list[StepFigures]:
    """Return the steps that the JSON of a document holds."""
    found = json.loads((docs / f"{NAME}.json").read_text(encoding="utf-8"))
    return [StepFigures.from_json(one) for one in found["steps"]]
