"""``report.json``: what a job found, with what it ran on, so that figures can be compared over time."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from echo_augment.cache.system.files import write_json

from .ranks import best_device
from .settings import JobSettings

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
    """Versions of Python and of the packages that can change a figure."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def plain(value: Any) -> Any:
    """``value`` as JSON types: NumPy scalars and arrays unpacked, paths as text, NaN and infinity as None."""
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


def write_report(out: str | Path, job: str, config: DictConfig | JobSettings, figures: Mapping[str, Any]) -> Path:
    """Write ``<out>/report.json`` and return its path.

    Args:
        out: the job's folder; made where it is missing.
        job: the job's name.
        config: the job's settings or composed configuration, kept resolved in the report.
        figures: what the job found. ``fingerprint``, ``seeds`` and ``skipped`` have empty defaults.
    """
    report = {"job": job, "fingerprint": "", "seeds": [], "skipped": [], **figures}
    settings = asdict(config) if isinstance(config, JobSettings) else OmegaConf.to_container(config, resolve=True)
    report |= {"versions": versions(), "config": settings}
    path = Path(out) / "report.json"
    write_json(path, plain(report))
    return path


def machine(device: str) -> dict[str, Any]:
    """``device`` in words, CPU cores that may be used, and the kind of system.

    Args:
        device: as configured.
    """
    chosen = torch.device(best_device(device))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else chosen.type
    return {"device": name, "cores": cores, "system": f"{platform.system()} {platform.machine()}"}
