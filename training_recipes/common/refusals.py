"""Refuse a command in one line, before any work, and leave nothing behind that its start has made."""

import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback as HydraCallback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.limits import remedy_of
from echo_augment.cache.system.progress import leave

from .run_folder import HYDRA, SIGN, is_ours
from .settings import KINDS, said, settings_from

EXIT_ERROR = 1
FULL_ERROR = "ECHO_AUGMENT_FULL_ERROR"  # what the user has set as HYDRA_FULL_ERROR
HYDRAS = frozenset({"config.yaml", "hydra.yaml", "overrides.yaml", "multirun.yaml"})
MOST_CHECKED = 200  # runs of a sweep whose settings are checked before the first; 20 ms each


@contextmanager
def errors_in_a_line(clear: Callable[[], None] | None = None) -> Iterator[None]:
    """Print an error that a user can mend as one line and exit; with ``HYDRA_FULL_ERROR=1``, raise it.

    Args:
        clear: called before, to remove what the start has made.
    """
    try:
        yield
    except BrokenPipeError:
        raise  # the command knows whose pipe it is
    except (EchoAugmentError, OmegaConfBaseException, HydraException, OSError) as error:
        leave()
        if clear is not None:
            clear()
        if os.environ.get(FULL_ERROR) == "1":
            raise
        in_words = said(error) if isinstance(error, OmegaConfBaseException | HydraException) else error
        if isinstance(error, OSError) and (remedy := remedy_of(error)):
            in_words = EchoAugmentError(str(error), remedy)
        print(f"error: {in_words}", file=sys.stderr)
        sys.exit(EXIT_ERROR)


class StartedFolder:
    """A run's folder and those above it, as far as the run's start has made them.

    Args:
        out: the folder, before it is made.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        missing = [one for one in (out, *out.parents) if not one.exists()]
        self.first = missing[-1] if missing else None

    def clear(self, *, also: Path | None = None) -> None:
        """Remove what the start has made, if no file lies in it but Hydra's own.

        Args:
            also: folder of one run of a sweep, inside ``out``.
        """
        for folder in (also, self.first):
            if folder is not None and folder.is_dir() and all(_is_hydras(path) for path in folder.rglob("*")):
                shutil.rmtree(folder, ignore_errors=True)


def _is_hydras(path: Path) -> bool:
    if path.is_dir() or is_ours(path) or path.match(f"{HYDRA}/{SIGN}"):
        return True
    return path.name in HYDRAS and (path.parent.name == HYDRA or path.name == "multirun.yaml")


def check_missing(config: DictConfig) -> None:
    """Raise if a setting has no value yet.

    Raises:
        EchoAugmentError: naming it.
    """
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise EchoAugmentError(f"no value for {', '.join(missing)}", f"Add {missing[0]}=... to the command")


def check_settings(job: str, config: DictConfig) -> None:
    """Raise if a job's configuration has a value missing or one that cannot be, or names what is not there.

    Raises:
        EchoAugmentError: as `settings_from` and the settings' ``check_inputs``.
    """
    own = OmegaConf.masked_copy(config, [str(name) for name in config if name != "hydra"])
    check_missing(own)
    if (kind := KINDS.get(job)) is not None:
        settings_from(own, kind).check_inputs()


class CheckSettings(HydraCallback):
    """Checks the settings of a run, or of all runs of a sweep, before Hydra makes a folder (``conf/base.yaml``)."""

    started: StartedFolder | None = None
    """Of the run or sweep in this process."""

    def on_run_start(self, config: DictConfig, **more: Any) -> None:
        """Exit with one line if a setting has no value or one that cannot be."""
        with errors_in_a_line():
            check_settings(more["config_name"], config)
        CheckSettings.started = StartedFolder(Path(config.hydra.run.dir))

    def on_multirun_start(self, config: DictConfig, **more: Any) -> None:
        """Exit with one line if that is so in any run of a sweep."""
        with errors_in_a_line():
            parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
            for overrides in itertools.islice(runs_of(list(config.hydra.overrides.task), parser), MOST_CHECKED):
                check_settings(more["config_name"], compose(more["config_name"], overrides))
            CheckSettings.started = StartedFolder(Path(config.hydra.sweep.dir))


def runs_of(overrides: list[str], parser: OverridesParser) -> Iterator[list[str]]:
    """Yield the overrides of each run of a sweep.

    >>> list(runs_of(["n=1,2", "seed=0"], OverridesParser.create()))
    [['n=1', 'seed=0'], ['n=2', 'seed=0']]
    """
    choices = []
    for one in parser.parse_overrides(overrides):
        if one.is_discrete_sweep():
            choices.append([f"{one.get_key_element()}={value}" for value in one.sweep_string_iterator()])
        elif one.is_sweep_override():  # an interval: only a sweeper knows its values
            continue
        else:
            choices.append([str(one.input_line)])
    for run in itertools.product(*choices):
        yield list(run)
