"""Settings of the jobs: Hydra's configuration becomes a dataclass, and every mistake is said before any work.

A job's settings are a dataclass, registered as a Hydra structured config next to its YAML file. The job calls
`settings_from` in its first line; below that there is no ``DictConfig``. Ranges are checked in ``__post_init__`` by
`echo_augment.cache.arguments`.
"""

import dataclasses
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_args

from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException, MissingConfigException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from echo_augment.cache.arguments import check_seed, nearest
from echo_augment.cache.errors import EchoAugmentError

S = TypeVar("S")
SCHEMA = "{job}_schema"
TEXT = {"text": True}
"""``metadata`` of a field that holds a text or a list of them, and whose type cannot say so."""

KINDS: dict[str, type["JobSettings"]] = {}
"""Settings by job, as far as the jobs' modules are loaded."""


@dataclass(kw_only=True)
class JobSettings:
    """What every job is told (``conf/base.yaml``).

    Attributes:
        out: folder of the job's results.
        seed: of everything that is drawn at random, at least 0.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        quiet: whether only the result is told, and errors and warnings.
        verbose: whether a log file gets a line of progress every ten seconds instead of every minute.
    """

    out: str = MISSING
    seed: int = 0
    device: str = "auto"
    quiet: bool = False
    verbose: bool = False

    def __post_init__(self) -> None:
        if not self.out.strip():
            raise EchoAugmentError(f"out must be a folder, got {self.out!r}", "Give out=FOLDER")
        if self.out.startswith("~"):  # in quotes, or in a file
            raise EchoAugmentError(f"out={self.out}: only a shell knows ~", "Give the whole path")
        if self.quiet and self.verbose:
            raise EchoAugmentError("quiet=true verbose=true: a job tells less or more, not both", "Leave one out")
        check_seed(self.seed)
        check_device(self.device)

    def check_inputs(self) -> None:
        """Raise if a folder or file that the settings name is not there; the command asks before it makes a folder.

        Raises:
            EchoAugmentError: with the name and the remedy.
        """


def check_device(device: str) -> None:
    """Raise if a device is none that torch knows, or not there.

    Raises:
        EchoAugmentError: with what there is instead.
    """
    if device in ("auto", "cpu"):
        return
    import torch  # here: the help of a job needs none of it

    kind, _, number = device.partition(":")
    if device not in ("auto", "cpu", "cuda", "mps") and not (kind == "cuda" and number.isdecimal()):
        raise EchoAugmentError(f"device must be auto, cpu, cuda, cuda:0 or mps, got {device!r}")
    count = torch.cuda.device_count() if kind == "cuda" else 0
    if kind == "cuda" and int(number or 0) >= count:
        there = f"{count} CUDA devices" if count else "no CUDA device"
        raise EchoAugmentError(f"device={device}, but torch finds {there} here", "Give device=auto or device=cpu")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise EchoAugmentError("device=mps, but this machine has no Apple GPU", "Give device=auto or device=cpu")


def group(kind: type[S]) -> Callable[[], S]:
    """Return the ``default_factory`` of a field for a group of settings that YAML fills.

    A default of ``MISSING`` would do, but OmegaConf 2.3 cannot fill such a group if one of its settings has several
    types (``int | float``). OmegaConf takes the class for a group without values.
    """
    return cast(Callable[[], S], lambda: kind)


def register(job: str, kind: type[JobSettings]) -> None:
    """Register the settings of a job as Hydra's structured config ``<job>_schema``, first in its defaults list."""
    KINDS[job] = kind
    ConfigStore.instance().store(name=SCHEMA.format(job=job), node=kind, provider="echo_augment")


def settings_from(config: DictConfig, kind: type[S]) -> S:
    """Return a job's configuration as its settings.

    Args:
        config: as Hydra has composed it.
        kind: dataclass of the settings.

    Raises:
        EchoAugmentError: a key that is none of the settings (with the nearest one), a value of another type, or one
            out of its range.
    """
    return object_from(OmegaConf.to_container(config, resolve=True), kind)


def object_from(found: Any, kind: type[S]) -> S:
    """Return plain settings, for instance those of a JSON file, as a dataclass.

    Args:
        found: the settings as JSON or YAML gives them.
        kind: dataclass of the settings.

    Raises:
        EchoAugmentError: as `settings_from`.
    """
    try:
        return cast(S, OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), OmegaConf.create(found))))
    except OmegaConfBaseException as error:
        raise said(error) from None


def said(error: OmegaConfBaseException | HydraException) -> EchoAugmentError:
    """Return the error of OmegaConf or Hydra about a setting as one line: what is wrong, and the remedy."""
    if isinstance(error, MissingConfigException):
        asked, known = str(error.missing_cfg_file), list(error.options or ())
        group, _, name = asked.rpartition("/")
        return EchoAugmentError(f"{group or 'configuration'}: there is no {name}", _remedy(name, known))
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):
        return _unknown(cause)
    if isinstance(cause, ValidationError):
        first = _first_line(cause.msg or cause)
        remedy = f"Give a list: {cause.full_key}=[...]" if "is not a ListConfig" in first else ""
        return EchoAugmentError(f"{cause.full_key}: {first[:1].lower()}{first[1:]}", remedy)
    if match := re.match(r"Could not override '([^']+)'\. No match in the defaults list", str(error)):
        return unknown_key(match.group(1), [])
    if match := re.match(r"Could not append to config\. An item is already at '([^']+)'", str(error)):
        return EchoAugmentError(
            f"there is a setting {match.group(1)} already", f"Leave out the plus: {match.group(1)}="
        )
    if match := re.match(r"LexerNoViableAltException: (.*)", str(error)):
        key, _, value = match.group(1).partition("=")
        return EchoAugmentError(
            f"{match.group(1)}: has a sign that Hydra reads in quotes only", f"""Give '{key.strip()}="{value}"'"""
        )
    return EchoAugmentError(_first_line(error))


def unknown_key(key: str, known: Collection[str]) -> EchoAugmentError:
    """Return the error for a setting that does not exist, with the nearest one that does.

    Args:
        key: as typed, with the groups before it: ``gates.label.quantil``.
        known: names of the settings in that group.
    """
    group_of, _, name = key.rpartition(".")
    return EchoAugmentError(f"there is no setting {key}", _remedy(name, known, group_of))


def _unknown(error: OmegaConfBaseException) -> EchoAugmentError:
    key, fields = str(error.full_key or error.key), _fields(error)
    found = unknown_key(key, fields or _keys(error))
    if fields or found.remedy.startswith("Did you mean"):
        return found
    return EchoAugmentError(found.message, f"To add it to {key.rpartition('.')[0]}: +{key}=...")


def _remedy(name: str, known: Collection[str], group_of: str = "") -> str:
    near = nearest(name, known)
    if near:
        return f"Did you mean {'.'.join(filter(None, [group_of, near]))}?"
    return f"There are: {', '.join(known)}" if known else ""


def _fields(error: OmegaConfBaseException) -> list[str]:
    """Return the settings of the group that an error is about; none if it is no dataclass."""
    kinds = [one for one in (error.object_type, *get_args(error.object_type)) if dataclasses.is_dataclass(one)]
    return [one.name for one in dataclasses.fields(kinds[0])] if kinds else []


def _keys(error: OmegaConfBaseException) -> list[str]:
    """Return the keys beside the one that an error is about."""
    node = error.parent_node
    return [str(key) for key in node] if isinstance(node, DictConfig) and node else []


def _first_line(text: object) -> str:
    return str(text).strip().splitlines()[0]
