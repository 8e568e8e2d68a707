"""The fingerprint: which weights, preset, donors and code made a clip."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path


def hash_weights(folder: Path) -> str:
    """SHA-256, 16 hex digits, over the weights and configurations of a saved pipeline, whatever their file dates."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".safetensors", ".json"):
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def fingerprint(weights: str, motion_donors: Iterable[str], appearance_donors: Iterable[str], sampler: str) -> str:
    """16 hex digits over generator weights, donor lists, sampler and the version of this package."""
    parts = [weights, *sorted(motion_donors), "|", *sorted(appearance_donors), "|", sampler, version("echo-augment")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
