"""The data set of a job: a folder that is there, or phantoms that the job writes first."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from echo_augment.augmentor.data import phantom
from echo_augment.augmentor.data.phantom.writing import check_format
from echo_augment.cache.system.locks import FolderLock

PATIENCE = 24 * 3600.0  # seconds: processes that start together wait for the one that writes the set


def _say_others(root: Path, data: DictConfig | Mapping[str, Any]) -> None:
    """Say where the phantoms that are there are not those that ``data`` would have written."""
    path = root / "phantom_settings.json"
    if not path.exists():
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    if other := [name for name in ("n", "seed") if data.get(name) is not None and data[name] != found.get(name)]:
        asked, there = (", ".join(f"{name}={of.get(name)}" for name in other) for of in (data, found))
        print(f"{root} holds phantoms already, written with {there}: they are used, whatever data says ({asked})")


def dataset_root(data: DictConfig | Mapping[str, Any]) -> Path:
    """The data set's folder; phantoms are written where there are none yet, or only in part.

    Args:
        data: the configuration group ``data``: ``name``, ``root``, and for phantoms ``n``, ``seed`` and, where given,
            ``splits`` (shares of TRAIN, VAL and TEST).

    Raises:
        EchoAugmentError: ``root`` holds a part of another set of phantoms, or phantoms of another look.
    """
    root = Path(data["root"])
    if data["name"] != "phantom":
        return root
    # phantoms.json is written last: where it is, the set is whole.
    if (root / "phantoms.json").exists():
        check_format(root)
        _say_others(root, data)
    else:
        more: dict[str, Any] = {"splits": tuple(data["splits"])} if data.get("splits") else {}
        with FolderLock(root / ".writing.lock", PATIENCE):
            phantom.write_phantoms(root, data["n"], seed=data["seed"], **more)
    return root
