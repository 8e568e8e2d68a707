"""MCDM: the motion-conditioned latent video diffusion model, and everything its clips need to carry a label."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clip_generator import ClipGenerator, load_generator
    from .mafe import MAFE
    from .phase import Heart, make_heart
    from .pipeline import MCDMOutput, MCDMPipeline
    from .transport import MotionTransport

__all__ = [
    "MAFE",
    "ClipGenerator",
    "Heart",
    "MCDMOutput",
    "MCDMPipeline",
    "MotionTransport",
    "load_generator",
    "make_heart",
]
_HOMES = {
    "ClipGenerator": "clip_generator",
    "load_generator": "clip_generator",
    "Heart": "phase",
    "make_heart": "phase",
    "MAFE": "mafe",
    "MCDMOutput": "pipeline",
    "MCDMPipeline": "pipeline",
    "MotionTransport": "transport",
}


def __getattr__(name: str) -> Any:
    """Import diffusers only when something here is used: a training that reads a cache never needs it."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
