"""Settings of the jobs: Hydra's configuration becomes a dataclass, and every mistake is said before any work.

A job's settings are a dataclass, registered as a Hydra structured config next to its YAML file. The job calls
`settings_from` in its first line; below that there is no ``DictConfig``. Ranges are checked in ``__post_init__`` by
`echo_augment.cache.arguments`.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_args

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, ValidationError

from echo_augment.cache.arguments import check_seed, nearest
from echo_augment.cache.errors import EchoAugmentError

S = TypeVar("S")
SCHEMA = "{job}_schema"
Value = bool | int | float | str | Sequence["Value"] | Mapping[str, "Value"] | None
"""What a YAML or JSON file can hold."""


@dataclass(kw_only=True)
class JobSettings:
    """What every job is told (``conf/base.yaml``).

    Attributes:
        out: folder of the job's results.
        seed: of everything that is drawn at random, at least 0.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    """

    out: str = MISSING
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_seed(self.seed)


def group(kind: type[S]) -> Callable[[], S]:
    """Return the ``default_factory`` of a field for a group of settings that YAML fills.

    A default of ``MISSING`` would do, but OmegaConf 2.3 cannot fill such a group if one of its settings has several
    types (``int | float``). OmegaConf takes the class for a group without values.
    """
    return cast(Callable[[], S], lambda: kind)


def register(job: str, kind: type[JobSettings]) -> None:
    """Register the settings of a job as Hydra's structured config ``<job>_schema``, first in its defaults list."""
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
    except ConfigKeyError as error:
        raise unknown_key(str(error.full_key or error.key), _fields_of(error.object_type)) from None
    except ValidationError as error:
        said = str(error.msg or error).splitlines()[0]
        raise EchoAugmentError(f"{error.full_key}: {said[0].lower() + said[1:]}") from None


def unknown_key(key: str, known: list[str]) -> EchoAugmentError:
    """Return the error for a setting that there is none of, with the nearest one that there is.

    Args:
        key: as typed, with the groups before it: ``gates.label.quantil``.
        known: names of the settings in that group.
    """
    group, _, name = key.rpartition(".")
    near = nearest(name, known)
    path = ".".join(filter(None, [group, near]))
    hint = f"Did you mean {path}?" if near else f"There are: {', '.join(known)}" if known else ""
    return EchoAugmentError(f"there is no setting {key}", hint)


def _fields_of(kind: Any) -> list[str]:
    kinds = [one for one in (kind, *get_args(kind)) if dataclasses.is_dataclass(one)]
    return [one.name for one in dataclasses.fields(kinds[0])] if kinds else []
