"""The machine that figures come from, as a reader of the report wants to know it."""

import os
import platform
from typing import Any

import torch

from echo_augment.training_recipes.ranks import best_device


def machine(device: str) -> dict[str, Any]:
    """``device`` in words, CPU cores that may be used, and the kind of system.

    Args:
        device: as configured.
    """
    chosen = torch.device(best_device(device))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else chosen.type
    return {"device": name, "cores": cores, "system": f"{platform.system()} {platform.machine()}"}
