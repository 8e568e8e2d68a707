"""The job ``status``: what of a run is done, running and left, and how long that takes, from its folder alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import DictConfig

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.common.run_folder import running
from echo_augment.training_recipes.common.settings import JobSettings, register, settings_from

from .caches import cache_state, is_cache
from .generators import generator_state, is_generator
from .state import REPORT, SWEPT, State, job_of, who
from .trainings import benchmark_state, is_benchmark, is_training, training_state

VALUES = "doses"  # of a benchmark's sweep, a folder a value
Reader = Callable[[Path, str], State]


@dataclass(kw_only=True)
class StatusSettings(JobSettings):
    """Settings of ``status``: ``out`` is the folder to look at."""

    def check_inputs(self) -> None:
        """Raise if there is no such folder."""
        if not Path(self.out).is_dir():
            raise EchoAugmentError(f"{self.out}: there is no such folder", "Give the out= of a run")


def other_state(folder: Path, job: str) -> State:
    """Return what is known of a job whose steps the folder does not show: it runs, or has its report."""
    working = who(running(folder))
    reported = (folder / REPORT).is_file()
    return State(
        folder=folder,
        job=job,
        done=[f"{REPORT} is there"] if reported else [],
        running=working,
        left=[] if reported and not working else [REPORT],
        finished=reported and not working,
    )


KINDS: tuple[tuple[Callable[[Path], bool], Reader, str], ...] = (
    (is_cache, cache_state, "fill-cache"),
    (is_generator, generator_state, "train-generator"),
    (is_training, training_state, "a training"),
    (is_benchmark, benchmark_state, "benchmark"),
)
"""What a folder may be of: how that is seen, how far it is, and what it is called if it does not say."""


def state_of(folder: Path) -> State:
    """Return how far the run in a folder is.

    Raises:
        EchoAugmentError: the folder is of no run, or what it holds is damaged.
    """
    job = job_of(folder)
    if (folder / VALUES).is_dir():
        return sweep_state(folder, job)
    for seen, read, name in KINDS:
        if seen(folder):
            state = read(folder, job or name)
            own = folder / "generator"
            if is_benchmark(folder) and is_generator(own) and not state.finished:
                return with_parts(state, generator_state(own))
            return state
    if (folder / SWEPT).is_file():
        return sweep_state(folder, job)
    if not job:
        raise EchoAugmentError(
            f"{folder}: is no folder of a run", "Give the out= of a job, for instance of fill-cache or train-generator"
        )
    return other_state(folder, job)


def with_parts(state: State, *parts: State) -> State:
    """Return a state with the runs inside it that are not done."""
    return replace(state, parts=[*state.parts, *(part for part in parts if not part.finished)])


def sweep_state(folder: Path, job: str) -> State:
    """Return how far the runs of a sweep are; those that have not begun yet have no folder."""
    inner = folder / VALUES if (folder / VALUES).is_dir() else folder
    found = [path for path in sorted(inner.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    parts = []
    for path in found:
        try:
            parts.append(state_of(path))
        except EchoAugmentError:
            continue  # a folder that the runs share, or that has only been made
    working = [part for part in parts if part.running]
    told = [*who(running(folder)), *(f"{part.folder.name}" for part in working)]
    seconds = [part.seconds for part in working if part.seconds is not None]
    finished = sum(part.finished for part in parts)
    return State(
        folder=folder,
        job=f"{job or 'jobs'}, a sweep",
        done=[f"{finished} of {len(parts)} runs that were begun"],
        running=told,
        left=[part.folder.name for part in parts if not part.finished and not part.running],
        seconds=max(seconds, default=None),
        finished=finished == len(parts) and not told,
        parts=[part for part in parts if not part.finished],
    )


def run(cfg: DictConfig) -> None:
    """Print how far the run in the folder ``out`` is; nothing is written.

    Args:
        cfg: the composed configuration of ``status``.

    Raises:
        EchoAugmentError: there is no such folder, it is of no run, or a cache in it is damaged.
    """
    settings = settings_from(cfg, StatusSettings)
    settings.check_inputs()
    print(state_of(Path(settings.out)).text())


register("status", StatusSettings)
