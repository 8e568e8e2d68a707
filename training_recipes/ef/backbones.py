"""Video backbones from local weights files, in the layouts in which they are published; nothing is downloaded.

The networks are torchvision's, or written here after what the papers and the files' own keys say of them.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models

from echo_augment.cache.errors import EchoAugmentError

State = Mapping[str, Tensor]
Numbers = tuple[float, float, float]
IMAGENET: tuple[Numbers, Numbers] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
KINETICS: tuple[Numbers, Numbers] = ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))
ECHOPRIME: tuple[Numbers, Numbers] = ((0.11416, 0.11011, 0.11410), (0.18819, 0.18218, 0.18511))
OUTER = ("weights", "model", "state_dict", "model_state_dict")  # keys of a checkpoint that hold the weights
SMALL_FRAMES = ("r3d_18", "mc3_18", "r2plus1d_18")  # torchvision's nets for frames of 112 x 112; others take 224 x 224
EPS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """A network that makes a clip into features.

    Attributes:
        net: ``(B, 3, T, H, W)`` in its own normalisation to ``(B, width)``.
        width: number of features.
        frames: frames that it takes; None for any number.
        size: side of a frame in pixels.
        scale: mean and deviation of the channels, of pixels in [0, 1].
        seen: what its weights have learned from, for a report.
    """

    net: nn.Module
    width: int
    frames: int | None
    size: int
    scale: tuple[Numbers, Numbers]
    seen: str


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Return the weights in a ``.safetensors`` file or a checkpoint of ``torch.save``, by name; no code in it is run.

    Raises:
        EchoAugmentError: no such file, or one that holds more than tensors, numbers and text.
    """
    path = Path(path)
    if not path.is_file():
        raise EchoAugmentError(f"{path}: there is no such file of weights", "Give model.settings.weights=FILE")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals([argparse.Namespace]):  # settings that a training script saved along
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of unpickling and of the file's format, many kinds
        raise EchoAugmentError(
            f"{path}: cannot be read as weights ({error})", "Save its state_dict alone, as .safetensors"
        ) from error
    if not isinstance(found, Mapping):
        raise EchoAugmentError(f"{path}: holds a {type(found).__name__} and no weights by name", "Give a state_dict")
    found = next((found[name] for name in OUTER if isinstance(found.get(name), Mapping)), found)
    state = {str(key).removeprefix("module."): value for key, value in found.items() if isinstance(value, Tensor)}
    if not state:
        raise EchoAugmentError(f"{path}: holds no weights", "Give a state_dict")
    return state


def below(state: State, *prefixes: str) -> dict[str, Tensor]:
    """Return the weights under the first of some prefixes that there is, without it; all if there is none."""
    for prefix in prefixes:
        if found := {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}:
            return found
    return dict(state)


def fitted(net: nn.Module, state: State | None, layout: str) -> nn.Module:
    """Return a network with weights; as it is for None.

    Raises:
        EchoAugmentError: one is missing, extra or of another shape.
    """
    if state is not None:
        try:
            net.load_state_dict(dict(state))
        except RuntimeError as error:
            said = " ".join(str(error).split())[:300]
            raise EchoAugmentError(
                f"the weights do not have the layout {layout}: {said}", "Name another layout"
            ) from error
    return net


def torchvision_video(name: str, state: State | None, seen: str = "what its file's makers say") -> Backbone:
    """Return one of torchvision's video networks without its last layer.

    Raises:
        EchoAugmentError: there is no such network, or its last layer is none of features.
    """
    there = models.list_models(models.video)
    if name not in there:
        raise EchoAugmentError(f"torchvision has no video network {name!r}", f"There are: {', '.join(there)}")
    net = models.get_model(name, weights=None)
    heads = [path for path, layer in net.named_modules() if isinstance(layer, nn.Linear)]
    if not heads or not heads[-1].startswith(("fc", "head")):
        raise EchoAugmentError(f"the last layer of torchvision's {name} is not linear", "Take another network")
    head = heads[-1]
    width = net.get_submodule(head).in_features
    owner, _, last = head.rpartition(".")
    setattr(net.get_submodule(owner), last, nn.Identity())
    kept = None if state is None else {key: value for key, value in state.items() if not key.startswith(f"{head}.")}
    small = name in SMALL_FRAMES
    return Backbone(
        net=fitted(net, kept, f"torchvision:{name}"),
        width=int(width),
        frames=None if small or name == "swin3d_t" else 16,
        size=112 if small else 224,
        scale=KINETICS,
        seen=seen,
    )


def r2plus1d_18(state: State | None) -> Backbone:
    """Return R(2+1)D-18 as torchvision publishes it, trained on Kinetics-400."""
    return torchvision_video(
        "r2plus1d_18", state, "labels of actions in everyday videos (Kinetics-400), no echocardiogram"
    )


def echoprime(state: State | None) -> Backbone:
    """Return EchoPrime's video encoder (arXiv 2410.09704): torchvision's MViTv2-S with an embedding of 512 numbers."""
    net = models.video.mvit_v2_s(weights=None)
    net.head[-1] = nn.Linear(net.head[-1].in_features, 512)
    return Backbone(
        net=fitted(net, state, "echoprime"),
        width=512,
        frames=16,
        size=224,
        scale=ECHOPRIME,
        seen="text reports of 12 million echocardiogram videos, and reports state EF",
    )


class FramesInTime(nn.Module):
    """PanEcho's form (JAMA 2025): an image encoder a frame, then a transformer over the frames, and their mean.

    Args:
        frames: at most so many.
    """

    def __init__(self, frames: int = 16) -> None:
        super().__init__()
        convnext = models.convnext_tiny(weights=None)
        width = int(convnext.classifier[-1].in_features)
        convnext.classifier[-1] = nn.Identity()
        self.encoder = nn.ModuleDict({"model": convnext})
        layer = nn.TransformerEncoderLayer(width, 8, width, dropout=0.0, activation="relu", batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.time_encoder = nn.ParameterDict({"pe": nn.Parameter(torch.zeros(1, frames, width), requires_grad=False)})

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)`` to ``(B, 768)``."""
        each = self.encoder["model"](clips.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(clips), -1))
        found: Tensor = self.transformer(each + self.time_encoder["pe"][:, : each.shape[1]]).mean(1)
        return found


def panecho(state: State | None) -> Backbone:
    """Return PanEcho's backbone: the whole model's weights, or those of ``backbone_only``."""
    if state is not None:
        whole = any(key.startswith("encoder.encoder.") for key in state)
        state = below(state, "encoder.") if whole else state
    return Backbone(
        net=fitted(FramesInTime(), state, "panecho"),
        width=768,
        frames=16,
        size=224,
        scale=IMAGENET,
        seen="EF and 38 other labels of a million echocardiograms",
    )


class Block(nn.Module):
    """A transformer block of a plain ViT, normalised before each part."""

    def __init__(self, width: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads, self.bias = heads, bias
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=EPS), nn.LayerNorm(width, eps=EPS)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width, bias=False), "proj": nn.Linear(width, width)})
        if bias:
            for name in ("q_bias", "v_bias"):
                self.attn.register_parameter(name, nn.Parameter(torch.zeros(width)))
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens ``(B, N, D)``."""
        seen = self.attn["qkv"](self.norm1(tokens))
        if self.bias:
            first, last = self.attn.get_parameter("q_bias"), self.attn.get_parameter("v_bias")
            seen = seen + torch.cat([first, torch.zeros_like(first), last])
        query, key, value = seen.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        tokens = tokens + self.attn["proj"](mixed)
        wide = F.gelu(self.mlp["fc1"](self.norm2(tokens)))
        return tokens + self.mlp["fc2"](wide)


class VideoViT(nn.Module):
    """A ViT over tubes of 2 frames and 16 x 16 pixels, with a class token; its feature is that token's.

    Args:
        width: of a token.
        depth: blocks.
        places: tokens, the class token among them.
        bias: whether queries and values have one.
    """

    def __init__(self, width: int = 768, depth: int = 12, places: int = 1569, *, bias: bool = False) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv3d(3, width, (2, 16, 16), (2, 16, 16))})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, places, width), requires_grad=False)
        self.blocks = nn.Sequential(*(Block(width, max(1, width // 64), bias) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=EPS)

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)`` to ``(B, width)``."""
        tokens = self.patch_embed["proj"](clips).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(clips), -1, -1), tokens], 1) + self.pos_embed
        found: Tensor = self.norm(self.blocks(tokens))[:, 0]
        return found


def discovr(state: State | None) -> Backbone:
    """Return DISCOVR's video teacher (arXiv 2506.11777): a ViT-B/16 of 64 frames of 112 x 112; other sizes as saved."""
    net, size, frames = VideoViT(), 112, 64
    if state is not None:
        wanted = ("patch_embed.", "cls_token", "pos_embed", "blocks.", "norm.")
        inner = below(state, "video_teacher.", "encoder.", "backbone.")
        inner = {key: value for key, value in below(inner, "backbone.").items() if key.startswith(wanted)}
        if not {"cls_token", "pos_embed"} <= set(inner):
            raise EchoAugmentError(
                "the weights do not have the layout discovr: no cls_token and pos_embed", "Name another"
            )
        depth = len({key.split(".")[1] for key in inner if key.startswith("blocks.")})
        places, width = inner["pos_embed"].shape[1:]
        net = VideoViT(width, depth, places, bias="blocks.0.attn.q_bias" in inner)
        fitted(net, inner, "discovr")
        frames = 2 * ((places - 1) // (size // 16) ** 2)
    return Backbone(
        net=net,
        width=net.cls_token.shape[-1],
        frames=frames,
        size=size,
        scale=IMAGENET,
        seen="video alone, of EchoNet-Dynamic among others: whether TEST videos were among it, its makers do not say",
    )


LAYOUTS: Mapping[str, Callable[[State | None], Backbone]] = {
    "r2plus1d_18": r2plus1d_18,
    "panecho": panecho,
    "discovr": discovr,
    "echoprime": echoprime,
}


def load_backbone(layout: str, weights: str) -> Backbone:
    """Return a backbone with the weights of a file, or with random ones.

    Args:
        layout: one of `LAYOUTS`, or ``torchvision:NAME``.
        weights: a file, or ``random``.

    Raises:
        EchoAugmentError: no such layout or file, or weights of another one.
    """
    if layout not in LAYOUTS and not layout.startswith("torchvision:"):
        raise EchoAugmentError(
            f"there is no layout of pretrained weights {layout!r}", f"Take {', '.join(LAYOUTS)} or torchvision:NAME"
        )
    make = LAYOUTS.get(layout) or partial(torchvision_video, layout.removeprefix("torchvision:"))
    if weights == "random":
        return make(None)
    state = read_state(weights)
    try:
        return make(state)
    except EchoAugmentError as error:  # which knows the weights, and not whence they come
        raise EchoAugmentError(f"{weights}: {error.message}", error.remedy) from error
