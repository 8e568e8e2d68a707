"""``report.json``: what a job found, with what it ran on, so that figures can be compared over time."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from echo_augment.cache.system.files import JsonValue, write_json
from echo_augment.cache.system.processes import usable_cores

from .ranks import best_device
from .settings import JobSettings

REPORT = "report.json"
PACKAGES = (
    "echo-augment",
    "torch",
    "torchvision",
    "diffusers",
    "accelerate",
    "numpy",
    "h5py",
    "albumentations",
    "scipy",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a figure."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def plain(value: Any) -> Any:
    """Return ``value`` as JSON types: NumPy scalars and arrays unpacked, paths as text, NaN and infinity as None.

    >>> plain({"mae": np.float32(1.5), "range": (0, math.inf), "out": Path("runs")})
    {'mae': 1.5, 'range': [0, None], 'out': 'runs'}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def write_report(
    out: str | Path, job: str, config: DictConfig | JobSettings, figures: Mapping[str, Any]
) -> dict[str, JsonValue]:
    """Write ``<out>/report.json`` and return its content.

    Args:
        out: folder of the job; it is made if it is missing.
        job: name of the job.
        config: settings of the job.
        figures: what the job found. ``fingerprint``, ``seeds`` and ``skipped`` have empty defaults.
    """
    settings = OmegaConf.to_container(config, resolve=True) if isinstance(config, DictConfig) else asdict(config)
    report = {"job": job, "fingerprint": "", "seeds": [], "skipped": [], **figures}
    report |= {"versions": versions(), "config": settings}
    written: dict[str, JsonValue] = plain(report)
    write_json(Path(out) / REPORT, written)
    return written


@dataclass(frozen=True, slots=True)
class Machine:
    """What a job ran on.

    Attributes:
        device: name of the GPU, or the kind of device.
        cores: CPU cores that may be used.
        system: operating system and architecture.
    """

    device: str
    cores: int
    system: str

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fields as plain JSON."""
        return asdict(self)


def machine(device: str) -> Machine:
    """Return what a job runs on.

    Args:
        device: as configured.
    """
    chosen = torch.device(best_device(device))
    name = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else chosen.type
    return Machine(device=name, cores=usable_cores(), system=f"{platform.system()} {platform.machine()}")
