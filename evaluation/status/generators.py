"""How far the training of a generator is: which stages are done, which one is worked at, and which are left."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue
from echo_augment.cache.system.progress import duration, plural
from echo_augment.training_recipes.common.run_folder import running

from .state import State, age, at, settings_of, who
from .trainings import LOOKED_AT, read_json, read_log

STAGES_FILE, CHECKPOINTS, TABLE = "stages.json", "checkpoints", "hearts/hearts.json"


def is_generator(folder: Path) -> bool:
    """Return whether a folder is that of a generator's training."""
    return (folder / STAGES_FILE).is_file()


def stage_names(preset: JsonValue, last: str) -> Sequence[str]:
    """Return the stages of a run in their order.

    Args:
        preset: settings of the run's preset, as ``stages.json`` has them.
        last: its last stage.

    Raises:
        EchoAugmentError: the settings are not those of a preset.
    """
    from echo_augment.training_recipes.generator.preset import PresetSettings  # seconds: it brings PyTorch
    from echo_augment.training_recipes.generator.stages import stages_of

    given = preset if isinstance(preset, Mapping) else {}
    return [stage.name for stage in stages_of(last, PresetSettings.from_plain(given))]


def last_stage(settings: JsonValue) -> str:
    """Return the last stage that settings of ``train-generator`` ask for."""
    return str(at(settings, "only") or ("denoiser" if at(settings, "distil") is None else "student"))


def stage_line(folder: Path, name: str, steps: int | None) -> tuple[str, float | None]:
    """Return how far a stage is, and the seconds that its other steps take; None where that cannot be known."""
    log = read_log(folder / CHECKPOINTS / f"{name}.csv")
    if not log.step:
        return name, None
    of = f" of {plural(steps, 'step')}" if steps else " steps"
    return f"{name}: {log.step:,}{of}", log.left(steps)


def spent(seconds: JsonValue) -> str:
    """Return how long a stage took, if that is known."""
    return f", {duration(seconds)}" if isinstance(seconds, int | float) else ""


def generator_state(folder: Path, job: str = "train-generator") -> State:
    """Return how far the training of a generator is.

    Raises:
        EchoAugmentError: ``stages.json`` is damaged, or of a run whose settings are not known any more.
    """
    found = read_json(folder / STAGES_FILE)
    preset, figures = at(found, "settings", "preset"), at(found, "done")
    figures = figures if isinstance(figures, Mapping) else {}
    try:
        names = stage_names(preset, last_stage(settings_of(folder)))
    except EchoAugmentError as error:
        raise EchoAugmentError(
            f"{folder / STAGES_FILE}: is damaged, or of another version ({error})", "The version that wrote it reads it"
        ) from None
    done = ["the videos are decoded"] if (folder / TABLE).is_file() else []
    done += [f"{name}{spent(at(figures, name, 'seconds'))}" for name in names if name in figures]
    left = [name for name in names if name not in figures]
    working = who(running(folder))
    now, seconds = "", None
    if left:
        steps = at(preset, left[0], "steps")
        now, seconds = stage_line(folder, left[0], steps if isinstance(steps, int) else None)
    newest = age(folder / CHECKPOINTS / f"{left[0]}.csv") if left else None
    at_work = bool(working) or (newest is not None and newest < LOOKED_AT)
    later = left[1:] if at_work else left
    return State(
        folder=folder,
        job=job,
        done=done or ["nothing yet"],
        running=[now, *working] if left and at_work else working,
        left=[", then ".join(later)] if later else ["the pipeline and the report"] if left or working else [],
        seconds=seconds if at_work and not later else None,
        finished=not left and not working,
    )
