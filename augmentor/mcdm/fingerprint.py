"""Hashes of weights, and the fingerprint: which weights, donors, sampler and code made a clip.

All are 16 hex digits of SHA-256.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .pipeline import MCDMPipeline

CLIP_CODE = 3  # raise it with every change of code that changes a clip: its pixels, its reference frame, its label
DIGITS = 16
NETWORKS = ("vae", "reid", "mafe", "transport", "denoiser")  # of a pipeline
ADDED = ("absolute", "features", "displacement")  # settings that came later: without them a network's hash is as before
DECIDING = (
    "preset",
    "frames",
    "rate",
    "size",
    "code",
    "code_mean",
    "code_std",
    "detail",
    "reference",
)  # of its configuration
LATER = {"sampler": "ddim", "reference": "ed"}  # what came later, and as it was before: then the hash is as before


class Configured(Protocol):
    """A diffusers model: weights under names, and a configuration."""

    @property
    def config(self) -> dict[str, object]:
        """Arguments of the constructor."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """Return the weights by name."""
        ...


def digest(*parts: bytes) -> str:
    """Return the hash of some bytes, one after the other.

    >>> digest(b"a", b"b") == digest(b"ab")
    True
    """
    return hashlib.sha256(b"".join(parts)).hexdigest()[:DIGITS]


def hash_weights(folder: Path) -> str:
    """Return the hash of the weights and configurations of a saved pipeline, whatever their file dates."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".safetensors", ".json"):
            found.update(path.relative_to(folder).as_posix().encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:DIGITS]


def hash_network(net: Configured) -> str:
    """Return the hash of a diffusers model's configuration and weights in full precision, wherever it came from."""
    given = {key: value for key, value in net.config.items() if not key.startswith("_")}
    config = {key: value for key, value in given.items() if value or key not in ADDED}
    found = hashlib.sha256(json.dumps(config, sort_keys=True, default=list).encode())
    for name, value in sorted(net.state_dict().items()):
        found.update(name.encode())
        found.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return found.hexdigest()[:DIGITS]


def hash_networks(pipeline: "MCDMPipeline") -> str:
    """Return the hash of a pipeline's networks and of what else decides a clip, but not of its number of steps.

    It is the same for a pipeline in memory and for one that was saved and loaded.
    """
    networks = {name: net for name in NETWORKS if (net := getattr(pipeline, name)) is not None}
    plain = {key: pipeline.config[key] for key in DECIDING if LATER.get(key) != pipeline.config[key]}
    hashes = {name: hash_network(net) for name, net in networks.items()}
    return digest(json.dumps([hashes, plain], sort_keys=True).encode())


def hash_pipeline(pipeline: "MCDMPipeline") -> str:
    """Return the hash of a pipeline's configuration and weights as they are in memory, in their precision."""
    given = {name: value for name, value in pipeline.config.items() if not name.startswith("_")}
    config = {name: value for name, value in given.items() if LATER.get(name) != value}
    found = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, part in sorted(pipeline.components.items()):
        for key, tensor in part.state_dict().items() if isinstance(part, nn.Module) else ():
            found.update(f"{name}.{key} {tensor.dtype} {tuple(tensor.shape)} ".encode())
            found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:DIGITS]


def fingerprint(
    weights: str,
    motion_donors: Iterable[str],
    appearance_donors: Iterable[str],
    sampler: str,
    contents: Mapping[str, str],
    arithmetic: str,
) -> str:
    """Return the hash of all that decides a clip beside its plan line.

    Args:
        weights: hash of the generator's weights.
        motion_donors: names.
        appearance_donors: names.
        sampler: for instance ``"ddim-8"``.
        contents: what each donor's video shows, by name: `VideoFacts.first`, or a `content_hash`.
        arithmetic: kind of device and number format that compute, for instance ``"cuda bfloat16"``: on another, the
            same line makes another clip.

    The version of this package and `CLIP_CODE` go into it as well.
    """
    parts = [
        weights,
        *sorted(motion_donors),
        "|",
        *sorted(appearance_donors),
        "|",
        sampler,
        version("echo-augment"),
        arithmetic,
    ]
    parts += [str(CLIP_CODE), "|", *(f"{name} {contents[name]}" for name in sorted(contents))]
    return digest("\n".join(parts).encode())
