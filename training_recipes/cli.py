"""The command ``echo-augment JOB key=value ...``: finds the job, lets Hydra compose its configuration, runs it."""

import ctypes
import logging
import multiprocessing
import os
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Any, TextIO

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from echo_augment.cache.system.files import JsonValue
from echo_augment.cache.system.progress import Talk, leave, on_terminal, talking

from .common.refusals import FULL_ERROR, CheckSettings, check_missing, errors_in_a_line
from .common.run_folder import shown_running, write_readme
from .common.settings import SCHEMA
from .common.typed import as_typed, refuse_swept_out

GROUP = "echo_augment.jobs"
EXIT_USAGE, EXIT_INTERRUPTED, EXIT_PIPE = 2, 130, 141  # the last two as in a shell: 128 and the signal
HELP = ("-h", "--help")

USAGE = """echo-augment {version}: data augmentation for echocardiography models, and the proof whether it helps

usage: echo-augment JOB [key=value ...]      for instance: echo-augment demo out=runs/demo
       echo-augment JOB --help               the job's settings and their defaults
       echo-augment JOB -m key=a,b           a sweep (Hydra multirun)

jobs:
{jobs}"""

SUMMARIES = {
    "demo": "phantom data -> bundled generator -> cache -> EF benchmark -> report.html",
    "doctor": "check a dataset folder, a cache, a generator and the machine; say what to mend",
    "import": "DICOM, videos or CAMUS into EchoNet-Dynamic's layout, without names",
    "import-weights": "published weights (EchoNet-Synthetic, MCDM, EMA-VFI) into a generator or a MAFE to start from",
    "phantom": "write a phantom data set in EchoNet-Dynamic's layout, or compare phantoms with real clips",
    "train-generator": "train MCDM from a dataset folder, in resumable stages",
    "fill-cache": "fill a cache of synthetic clips offline, resumable",
    "cache": "action=info, verify, repair, merge, export, preview, gallery, import or pack",
    "train-ef": "train an EF regressor, with or without augmentation",
    "train-segmentation": "train an LV segmenter, with or without augmentation; it can draw masks for fill-cache",
    "benchmark": "arms x label fractions x seeds, with statistics and a report",
    "fidelity": "EF adherence, swap test and counterfactual error of a generator",
    "speed": "every speed figure, as ratios measured in one run",
    "status": "how far the run in out=FOLDER is: done, running, left, and how long",
}

OWN = {
    "demo": "evaluation.benchmark.demo",
    "doctor": "training_recipes.jobs.doctor",
    "import": "training_recipes.jobs.import_data",
    "import-weights": "training_recipes.jobs.import_weights",
    "phantom": "training_recipes.jobs.phantom",
    "train-generator": "training_recipes.jobs.train_generator",
    "fill-cache": "training_recipes.jobs.fill_cache",
    "cache": "training_recipes.jobs.cache",
    "train-ef": "training_recipes.jobs.train_ef",
    "train-segmentation": "training_recipes.jobs.train_segmentation",
    "benchmark": "evaluation.benchmark.job",
    "fidelity": "evaluation.fidelity.job",
    "speed": "evaluation.speed.job",
    "status": "evaluation.status.job",
}
"""Modules of the jobs, below ``echo_augment``; each has a function ``run``."""


_FOLDER = ["n", "seed", "splits", "frames", "fps", "format", "population", "recording", "label_noise", "ef_unit"]
_DATA: dict[str, JsonValue] = {"data": {**dict.fromkeys(_FOLDER), "follow_links": True}}
_TRAINER: dict[str, JsonValue] = {
    "trainer": {
        "optimizer": dict.fromkeys(["momentum", "weight_decay"]),
        "schedule": dict.fromkeys(["warmup", "every_epochs", "factor"]),
        **dict.fromkeys(["length", "period", "pad", "val_clips", "test_clips"]),
    }
}
_STAGES = ["codec", "reid", "mafe", "transport", "denoiser", "student"]
_PRESET: dict[str, JsonValue] = {
    "preset": {stage: dict.fromkeys(["horizon", "weight_decay", "ema"]) for stage in _STAGES}
}
UNSAID: dict[str, dict[str, JsonValue]] = {
    "train-generator": _DATA | _PRESET,
    **dict.fromkeys(("fill-cache", "cache"), _DATA),
    **dict.fromkeys(("demo", "benchmark", "train-ef", "train-segmentation"), _DATA | _TRAINER),
}
"""Optional settings by job that its YAML files do not name, as they are then: help shows them, too."""

SPOKEN = {name: {"from": "source", "data": "files"} for name in ("import", "import-weights")}
"""Settings by the words that a user types for them: ``from`` is no name in Python, and ``data`` is a group of settings
in Hydra, which takes no path."""


def find_jobs() -> dict[str, EntryPoint]:
    """Return the jobs by name: ours, and those that other installed packages add by their entry points."""
    ours = {name: EntryPoint(name, f"echo_augment.{module}:run", GROUP) for name, module in OWN.items()}
    others = {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in ours}
    return ours | {name: others[name] for name in sorted(others)}


def usage() -> str:
    """Return the text of ``echo-augment --help``."""
    lines = [f"  {name:<18} {SUMMARIES.get(name, 'from ' + job.value)}" for name, job in find_jobs().items()]
    return USAGE.format(version=version("echo-augment"), jobs="\n".join(lines))


def is_share(overrides: Sequence[str]) -> bool:
    """Return whether a run of a sweep does one process's share of a job.

    Args:
        overrides: settings of this run, for instance ``["rank=0", "world=4"]``.
    """
    return any(one.lstrip("+").split("=")[0] == "rank" for one in overrides)


def in_settings_words(name: str, arguments: Sequence[str]) -> list[str]:
    """A job's arguments with the names of its settings in place of the words in `SPOKEN`.

    >>> in_settings_words("import", ["from=dicom", "data=scans", "out=set"])
    ['source=dicom', 'files=scans', 'out=set']
    """
    words = SPOKEN.get(name, {})
    pairs = [(one, *one.partition("=")) for one in arguments]
    return [f"{words[key]}={value}" if equals and key in words else one for one, key, equals, value in pairs]


def run_job(job: Callable[[DictConfig], Any], config: DictConfig) -> None:
    """Run one composed job; an error that a user can mend becomes one line and an exit code.

    In a sweep ``out`` is each run's own folder, so that runs never write over each other; but in one over ``rank`` the
    runs fill ``out`` together.
    """
    if multiprocessing.get_start_method(allow_none=True) == "loky":
        # Inside hydra/launcher=joblib: what a job starts in its turn does not know joblib's own start method.
        multiprocessing.set_start_method("spawn", force=True)
    hydra_config = HydraConfig.get()
    multirun = hydra_config.mode is not None and hydra_config.mode.name == "MULTIRUN"
    if multirun and not is_share(hydra_config.overrides.task):
        config.out = hydra_config.runtime.output_dir
    started = CheckSettings.started
    clear = None if started is None else partial(started.clear, also=Path(hydra_config.runtime.output_dir))
    with errors_in_a_line(clear), ExitStack() as around:
        check_missing(config)
        around.enter_context(talking(talk_of(config)))
        if hydra_config.output_subdir is not None:  # a job that only looks leaves no trace
            out = Path(hydra_config.runtime.output_dir if config.get("out") is None else str(config.out))
            write_readme(out, str(hydra_config.job.config_name), hydra_config.overrides.task)
            around.enter_context(shown_running(out))
        job(config)


def talk_of(config: DictConfig) -> Talk:
    """Return how much a job is to tell; a job of another package may not have the settings."""
    if config.get("quiet"):
        return Talk.QUIET
    return Talk.VERBOSE if config.get("verbose") else Talk.NORMAL


def run_named(name: str, config: DictConfig) -> None:
    """Run the job of this name; also in another process, for instance on a cluster's node."""
    run_job(find_jobs()[name].load(), config)


def sweep_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with ``-m`` in front: Hydra takes no settings after it if there are some before it."""
    return sorted(arguments, key=lambda one: one not in ("-m", "--multirun"))


def main() -> None:
    """Entry point of the ``echo-augment`` command."""
    arguments = sys.argv[1:]
    try:
        try:
            run_command(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not is_closed(sys.stdout):
            raise  # another pipe than the one that people read
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
        if not set(arguments) & set(HELP):
            print("error: the output goes to a pipe that was closed; the job was ended", file=sys.stderr)
        sys.exit(EXIT_PIPE)


def is_closed(stream: TextIO) -> bool:
    """Return whether nobody reads a stream any more; False on Windows, which cannot tell."""
    if not hasattr(select, "poll"):
        return False
    watch = select.poll()
    watch.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in watch.poll(0))


def register_settings(name: str, arguments: Sequence[str]) -> None:
    """Register the settings of a job, which its YAML file names first.

    For the help of our jobs those in `UNSAID` stand in for them: the modules that declare them would bring PyTorch.
    """
    entry = find_jobs()[name]
    if set(arguments) & set(HELP) and name in OWN:
        ConfigStore.instance().store(name=SCHEMA.format(job=name), node=UNSAID.get(name, {}), provider="echo_augment")
    else:
        entry.load()


def run_command(arguments: Sequence[str]) -> None:
    """Do what was typed after ``echo-augment``."""
    if not arguments or arguments[0] in (*HELP, "help"):
        print(usage())
        sys.exit(0 if arguments else EXIT_USAGE)
    if arguments[0] == "--version":
        print(version("echo-augment"))
        return
    name = arguments[0]
    if name not in find_jobs():
        print(f"error: no job {name!r}; there are: {', '.join(find_jobs())}", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    logging.getLogger("hydra").setLevel(logging.WARNING)
    keep_freed_memory()
    if not on_terminal(sys.stderr):
        os.environ.setdefault("TQDM_DISABLE", "1")  # bars of other packages: a log file is no place to draw over a line

    def task(config: DictConfig) -> None:
        run_named(name, config)

    decorate = hydra.main(version_base="1.3", config_path="pkg://echo_augment.training_recipes.conf", config_name=name)
    try:
        with hydra_raises(), errors_in_a_line():
            register_settings(name, arguments[1:])
            refuse_swept_out(arguments[1:])
            typed = as_typed(name, in_settings_words(name, arguments[1:]))
            sys.argv = [f"{Path(sys.argv[0]).name} {name}", *sweep_first(typed)]
            decorate(task)()
    except KeyboardInterrupt:
        leave()
        print("interrupted; what was finished is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)


@contextmanager
def hydra_raises() -> Iterator[None]:
    """Let Hydra raise errors instead of printing them; what the user has set is kept under `FULL_ERROR`."""
    before = {name: os.environ.get(name) for name in ("HYDRA_FULL_ERROR", FULL_ERROR)}
    os.environ.setdefault(FULL_ERROR, before["HYDRA_FULL_ERROR"] or "0")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


TRIM, MMAP = -1, -3  # glibc's malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
KEPT = {"MALLOC_TRIM_THRESHOLD_": 1 << 34, "MALLOC_MMAP_THRESHOLD_": 1 << 30}  # bytes


def keep_freed_memory() -> bool:
    """Let this process and its children keep freed memory for their next tensors; the peak may be a little higher.

    Without it, pages of large activations are mapped, zeroed and unmapped at every step, in the kernel's time
    (``/usr/bin/time`` shows it, with and without ``MALLOC_TRIM_THRESHOLD_=131072`` in the environment: settings of the
    user's own stay).

    Returns:
        Whether the C library took it; others than glibc do not know these settings.
    """
    if any(name in os.environ for name in KEPT):
        return False
    os.environ.update({name: str(value) for name, value in KEPT.items()})
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    limit = (1 << 31) - 1  # mallopt takes an int
    return bool(mallopt(TRIM, limit) and mallopt(MMAP, min(limit, KEPT["MALLOC_MMAP_THRESHOLD_"])))
