"""MAFE: the network of EMA-VFI for echocardiograms, and the losses that train it."""

from echo_augment.cache.system.extras import needs

from .heads import merge, warp
from .model import MAFE, MAFEOutput

with needs("generate"):
    # diffusers looks for it beside the class that a pipeline names
    from diffusers.models.modeling_utils import ModelMixin

__all__ = ["MAFE", "MAFEOutput", "ModelMixin", "merge", "warp"]
