"""Phantoms: procedural apical four-chamber hearts whose counterfactuals can be drawn exactly."""

from .appearance import Appearance
from .motion import Motion
from .rendering import PhantomClip, VolumeCurve, render, volume_curve
from .sampling import Phantom, counterfactual, sample_phantom
from .sets import load_masks, load_phantoms
from .writing import write_phantoms

__all__ = [
    "Appearance",
    "Motion",
    "Phantom",
    "PhantomClip",
    "VolumeCurve",
    "counterfactual",
    "load_masks",
    "load_phantoms",
    "render",
    "sample_phantom",
    "volume_curve",
    "write_phantoms",
]
