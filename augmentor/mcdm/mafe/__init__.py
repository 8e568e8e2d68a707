"""MAFE: the network of EMA-VFI for echocardiograms, and the losses that train it."""

from diffusers.models.modeling_utils import ModelMixin  # diffusers looks for it beside the class that a pipeline names

from .heads import merge, warp
from .model import MAFE, MAFEOutput

__all__ = ["MAFE", "MAFEOutput", "ModelMixin", "merge", "warp"]
