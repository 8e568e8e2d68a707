"""MAFE: the network of EMA-VFI for echocardiograms, and the losses that train it."""

from .heads import merge, warp
from .model import MAFE, MAFEOutput

__all__ = ["MAFE", "MAFEOutput", "merge", "warp"]
