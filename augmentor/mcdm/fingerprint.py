"""The fingerprint: which weights, preset, donors and code made a clip."""

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

CLIP_CODE = 2  # raise it with every change of code that changes a clip: its pixels, its reference frame, its label


def hash_weights(folder: Path) -> str:
    """SHA-256, 16 hex digits, over the weights and configurations of a saved pipeline, whatever their file dates."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".safetensors", ".json"):
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def network_hash(net: Any) -> str:
    """SHA-256, 16 hex digits, over a diffusers model's configuration and weights, wherever it was loaded from."""
    config = {key: value for key, value in net.config.items() if not key.startswith("_")}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=list).encode())
    for name, value in sorted(net.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def fingerprint(weights: str, motion_donors: Iterable[str], appearance_donors: Iterable[str], sampler: str) -> str:
    """16 hex digits over generator weights, donor lists, sampler, the version of this package and `CLIP_CODE`."""
    parts = [weights, *sorted(motion_donors), "|", *sorted(appearance_donors), "|", sampler, version("echo-augment")]
    parts.append(str(CLIP_CODE))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
