"""Every job once at EchoNet-Dynamic's size, 10,030 videos: how long it takes, in how much memory and on how much disk.

``python -m echo_augment.evaluation.studies.true_size FOLDER DOCS [VIDEOS] [STEP ..]`` writes the data set, runs the
steps, all or those that are named, and writes ``true-size.md`` and its JSON into DOCS. Kill it at any moment: the same
command goes on, also inside of a step. `echo_augment.evaluation.studies.true_size_page` writes the document.
"""

import csv
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_module

from echo_augment.cache.arguments import check_choice, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path
from echo_augment.training_recipes.common.settings import settings_from

from ..benchmark import job  # noqa: F401  registers the settings
from ..benchmark.job import open_design
from ..benchmark.settings import BenchmarkSettings
from .true_size_data import VIDEOS
from .true_size_page import StepFigures, write_page
from .watching import Watched, disk_bytes, module, run_watched

JOBS = "echo_augment.training_recipes"
CLIPS, TESTED = 64, 20
PROGRESS = re.compile(r"[\w -]+: [\d,]+ (of [\d,]+ )?\w+")  # `echo_augment.cache.system.progress`
STAGES = ("codec", "reid", "mafe", "transport", "denoiser", "student")
ONE_STEP = [
    *(f"preset.{stage}.steps=1" for stage in STAGES),
    "preset.student.kind=reflow",
    "preset.couplings.clips=8",
    "preset.couplings.steps=1",
    "reenactment.videos=0",
]
MB_A_VIDEO = {"videos": 0.52, "store": 1.6, "frames": 0.82, "the other arrays": 0.45}  # of all; preset tiny


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        name: its name.
        what: what it does, for the document.
        command: how.
        leaves: what it leaves on the disk.
        drops: whether that is deleted once it is measured: no later step needs it.
    """

    name: str
    what: str
    command: list[str]
    leaves: Path
    drops: bool = False


def steps_of(folder: Path, videos: int) -> list[Step]:
    """Return the steps, in their order."""
    data, run, few = folder / "data", folder / "generator", folder / "few"
    at = ["data=echonet", f"data.root={data}"]
    train = ["train-generator", *at, f"out={run}", *ONE_STEP]
    ef = ["train-ef", f"data.root={few}", "arm=real", "labels=64", "val_at_least=8", "trainer.epochs=null"]
    windows = ["trainer.length=32", "trainer.period=2"]

    def job_of(*arguments: str) -> list[str]:
        return module(JOBS, *arguments)

    return [
        Step("data", "writes the videos", module(f"{__package__}.true_size_data", str(data), str(videos)), data),
        Step(
            "doctor",
            "checks tables and videos",
            job_of("doctor", f"data.root={data}", f"out={folder / 'doctor'}"),
            folder / "doctor",
        ),
        Step(
            "pack",
            "decodes all videos into a store (zstd: LZ4 leaves speckle as it is)",
            job_of(
                "cache",
                "action=pack",
                *at,
                "compression=zstd",
                f"cache={folder / 'packed'}",
                f"out={folder / 'pack'}",
            ),
            folder / "packed",
            drops=True,
        ),
        Step("prepare", "decodes TRAIN for the generator; one step of the codec", job_of(*train, "only=codec"), run),
        Step("labels", "re-ID, the pseudo labels of all videos, MAFE: one step each", job_of(*train, "only=mafe"), run),
        Step(
            "generator",
            "latents, codes of all copies, transport, denoiser, couplings, student: one step each",
            job_of(*train, "only=student"),
            run,
        ),
        Step(
            "fill",
            f"{CLIPS} clips of that generator, donors from all of TRAIN",
            job_of(
                "fill-cache",
                *at,
                f"generator={run / 'generator-student'}",
                f"n={CLIPS}",
                "steps=1",
                "gates.image=false",
                f"out={folder / 'cache'}",
            ),
            folder / "cache",
        ),
        Step(
            "design",
            "the benchmark's design: leak guard, labelled videos, donors; no training",
            module(f"{__package__}.true_size", "design", str(folder)),
            folder / "design",
        ),
        Step(
            "train",
            f"20 steps of R(2+1)D-18 in batches of 2, 32 frames; TEST of {TESTED} videos in 4 windows each",
            job_of(
                *ef,
                "model=r2plus1d_18",
                "trainer.steps=20",
                "trainer.batch_size=2",
                "trainer.workers=1",
                "trainer.validate_every=20",
                "trainer.test_clips=4",
                f"out={folder / 'ef'}",
            ),
            folder / "ef",
        ),
        Step(
            "test",
            f"TEST of {TESTED} videos in every window of 32 frames, as echonet tests, by the tiny net",
            job_of(
                *ef,
                *windows,
                "model=tiny",
                "trainer.steps=1",
                "trainer.batch_size=2",
                "trainer.validate_every=1",
                "trainer.test_clips=null",
                f"out={folder / 'ef-test'}",
            ),
            folder / "ef-test",
        ),
    ]


def disk_needed(videos: int) -> dict[str, float]:
    """Return the GB that each kind of file of a run takes, and the most at one time: the store goes before the rest."""
    found = {kind: videos * size / 1000 for kind, size in MB_A_VIDEO.items()}
    most = found["videos"] + max(found["store"], found["frames"] + found["the other arrays"])
    return found | {"at most": most}


def announce(folder: Path, videos: int) -> dict[str, float]:
    """Say what disk the run takes, and refuse if it is not there; return it in GB.

    Raises:
        EchoAugmentError: with what is free and what is needed.
    """
    needed = disk_needed(videos)
    folder.mkdir(parents=True, exist_ok=True)
    free, there = shutil.disk_usage(folder).free / 1e9, disk_bytes(folder) / 1e9
    told = ", ".join(f"{kind} {size:.1f}" for kind, size in needed.items())
    print(f"disk in GB: {told}; there already {there:.1f}, free {free:.1f}", flush=True)
    if needed["at most"] - there > free:
        raise EchoAugmentError(
            f"{folder}: {free:.1f} GB are free, {needed['at most'] - there:.1f} GB needed", "Give another folder"
        )
    return needed


def few_tests(data: Path, few: Path) -> None:
    """Make a data set of the same TRAIN and VAL with the first `TESTED` TEST videos; the longest is the first."""
    few.mkdir(exist_ok=True)
    if not (few / "Videos").exists():
        (few / "Videos").symlink_to((data / "Videos").resolve())
    with (data / "FileList.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file))
    tested = [row for row in rows if row[-1] == "TEST"][:TESTED]
    kept = [row for row in rows if row[-1] != "TEST"] + tested
    names = {f"{row[0]}.avi" for row in kept}
    with (data / "VolumeTracings.csv").open(newline="", encoding="utf-8") as file:
        traced_header, *traced = list(csv.reader(file))
    tables = {
        "VolumeTracings.csv": [traced_header, *(row for row in traced if row[0] in names)],
        "FileList.csv": [header, *kept],
    }
    for name, lines in tables.items():
        with atomic_path(few / name) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)


def write_design(folder: Path) -> None:
    """Make the design of the label-scarce benchmark, and write what it would train."""
    overrides = [
        "experiment=echonet_label_scarce",
        f"data.root={folder / 'data'}",
        f"generator.weights={folder / 'generator' / 'generator-student'}",
        f"out={folder / 'design'}",
    ]
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        settings = settings_from(compose("benchmark", overrides), BenchmarkSettings)
    _, design = open_design(settings, (0, 1))
    text = "\n".join(
        f"labels {place}, seed {seed}: {len(names)} videos" for (place, seed), names in design.subsets.items()
    )
    (folder / "design").mkdir(exist_ok=True)
    (folder / "design" / "subsets.txt").write_text(text + "\n", encoding="utf-8")


def run_step(step: Step, folder: Path) -> StepFigures:
    """Run a step, unless it is done, and return its figures."""
    size = folder / "steps" / f"{step.name}.bytes"
    if step.name in ("train", "test"):
        few_tests(folder / "data", folder / "few")
    run_watched(step.command, folder / "logs" / f"{step.name}.log", folder / "steps" / f"{step.name}.json")
    if not size.exists():
        size.write_text(str(disk_bytes(step.leaves)), encoding="utf-8")
    if step.drops:
        shutil.rmtree(step.leaves, ignore_errors=True)
    return figures_of(step, folder)


def figures_of(step: Step, folder: Path) -> StepFigures:
    """Return the figures of a step, finished, begun or not."""
    size, log = folder / "steps" / f"{step.name}.bytes", folder / "logs" / f"{step.name}.log"
    watched = Watched.read(folder / "steps" / f"{step.name}.json")
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    said = [line for line in lines if PROGRESS.match(line)]
    return StepFigures(
        name=step.name,
        what=step.what,
        watched=watched,
        disk=int(size.read_text(encoding="utf-8")) if size.exists() else 0,
        last="" if watched.done or not said else said[-1],
    )


def run(folder: Path, docs: Path, videos: int = VIDEOS, wanted: Sequence[str] = ()) -> Path:
    """Run the steps and write the document; return its path.

    Args:
        folder: of all that is made.
        docs: of the document.
        videos: how many.
        wanted: steps to run; none: all.

    Raises:
        EchoAugmentError: a step fails, or there is no room.
    """
    check_whole("VIDEOS", videos, 128)
    folder = folder.resolve()
    steps = steps_of(folder, videos)
    for name in wanted:
        check_choice("STEP", name, [step.name for step in steps])
    needed = announce(folder, videos)
    try:
        for step in steps:
            if not wanted or step.name in wanted:
                print(f"{step.name}: {step.what}", flush=True)
                print(run_step(step, folder).text(), flush=True)
    finally:
        page = write_page(docs, [figures_of(step, folder) for step in steps], videos, needed)
    return page


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks for; return the exit code."""
    if len(arguments) == 2 and arguments[0] == "design":
        write_design(Path(arguments[1]))
        return 0
    if len(arguments) < 2 or not all(one.isdecimal() for one in arguments[2:3]):
        print(
            "usage: python -m echo_augment.evaluation.studies.true_size FOLDER DOCS [VIDEOS] [STEP ..]", file=sys.stderr
        )
        return 2
    try:
        videos = int(arguments[2]) if len(arguments) > 2 else VIDEOS
        print(f"see {run(Path(arguments[0]), Path(arguments[1]), videos, arguments[3:])} and the JSON beside it")
    except EchoAugmentError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
