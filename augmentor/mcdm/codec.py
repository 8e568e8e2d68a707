"""The codec: frames to latents and back, by a diffusers autoencoder of our own or one trained elsewhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.extras import needs

from .published.strict import load_whole

with needs("generate"):
    from diffusers import AutoencoderKL
    from diffusers.models.modeling_utils import ModelMixin

FOUND_BY = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "token")  # options of the Hub
FORMATS = ("dtype", "torch_dtype")
READ_AS = (*FORMATS, "use_safetensors", "variant")  # options of a network's weights
HALF = 127.5  # gray level that becomes 0


class ReferenceCodec(AutoencoderKL, ModelMixin):  # a pipeline loads a class if ModelMixin is a name in its module
    """An autoencoder with EchoNet-Synthetic's pixels: gray levels become x / 128 - 1, not x / 127.5 - 1."""

    zero_at = 128.0


def build_codec(
    channels: tuple[int, ...] = (16, 32, 64, 64),
    layers: int = 1,
    groups: int = 8,
    *,
    images: int = 1,
    attention: bool = False,
    half: float = HALF,
) -> AutoencoderKL:
    """Return an untrained ``AutoencoderKL`` for grayscale frames: 8x smaller, 4 latent channels.

    Args:
        channels: of the four levels.
        layers: residual blocks a level.
        groups: of the group norms.
        images: channels of an image, 1 or 3, alike in all.
        attention: whether its middle has attention.
        half: gray level that becomes 0: 127.5, or 128 as in EchoNet-Synthetic.
    """
    kind = ReferenceCodec if half == ReferenceCodec.zero_at else AutoencoderKL
    return kind(
        in_channels=images,
        out_channels=images,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=tuple(channels),
        layers_per_block=layers,
        latent_channels=4,
        norm_num_groups=groups,
        mid_block_add_attention=attention,
        scaling_factor=1.0,
    )


def half_range(codec: AutoencoderKL) -> float:
    """Return the gray level that a codec sees as 0."""
    return float(getattr(codec, "zero_at", HALF))


def to_unit(frames: Tensor, half: float = HALF) -> Tensor:
    """Map uint8 gray levels ``(..., H, W)`` to [-1, 1] with a channel, ``(..., 1, H, W)``; ``half`` becomes 0."""
    return (frames.float() / half - 1).unsqueeze(-3)


def to_gray(images: Tensor, half: float = HALF) -> Tensor:
    """Map images ``(..., C, H, W)`` in [-1, 1] to uint8 gray levels ``(..., H, W)``; three channels are averaged."""
    return ((images.float().mean(-3) + 1) * half).round().clamp(0, 255).to(torch.uint8)


def _channels(codec: AutoencoderKL) -> int:
    return int(codec.config["in_channels"])


def encode(codec: AutoencoderKL, frames: Tensor) -> Tensor:
    """Return the latents ``(N, C, h, w)`` of uint8 frames ``(N, H, W)``: the means of the posterior, scaled."""
    device, dtype = codec.device, codec.dtype
    parts = []
    with torch.no_grad():
        for chunk in frames.split(together(codec)):
            images = to_unit(chunk.to(device), half_range(codec)).to(dtype).expand(-1, _channels(codec), -1, -1)
            parts.append(codec.encode(images).latent_dist.mode() * codec.config["scaling_factor"])
    return torch.cat(parts)


def together(codec: AutoencoderKL) -> int:
    """Return how many frames a codec takes at once: few on a CPU, for more do not stay in its caches."""
    return 16 if codec.device.type == "cpu" else 64


def decode(codec: AutoencoderKL, latents: Tensor, *, batch: int | None = None) -> Tensor:
    """Return the uint8 frames ``(N, H, W)`` of scaled latents ``(N, C, h, w)``.

    Args:
        codec: decodes them on its device.
        latents: scaled.
        batch: frames decoded together; None for `together`. On a CPU channels come last, as its convolutions want them.
    """
    scale, on_cpu = codec.config["scaling_factor"], codec.device.type == "cpu"
    order = torch.channels_last if on_cpu else torch.preserve_format
    with torch.no_grad():
        chunks = latents.split(batch or together(codec))
        images = (codec.decode((chunk.to(codec.dtype) / scale).to(memory_format=order)).sample for chunk in chunks)
        parts = [to_gray(image, half_range(codec)) for image in images]
    return torch.cat(parts)


def saved_codec(where: Path | str, *, subfolder: str | None = None, **options: Any) -> AutoencoderKL:
    """Return a codec that a run or a pipeline has saved, as the kind that it is.

    Args:
        where: folder or Hub id.
        subfolder: of the codec.
        options: of ``from_pretrained``, the codec's or its pipeline's, of which the codec has its own part.

    Raises:
        EchoAugmentError: a weight is missing, extra or of another shape.
    """
    read = {name: value for name, value in options.items() if name in (*READ_AS, *FOUND_BY)}
    for name in FORMATS:
        if isinstance(each := read.get(name), Mapping):  # one for each network
            read[name] = each.get("vae", each.get("default", torch.float32))
    found = {name: value for name, value in options.items() if name in FOUND_BY}
    named = AutoencoderKL.load_config(str(where), subfolder=subfolder, **found).get("_class_name")
    kind = ReferenceCodec if named == "ReferenceCodec" else AutoencoderKL
    codec: AutoencoderKL = load_whole(kind, str(where), subfolder=subfolder, **read)
    return codec


HUB = "hub:"
SHRINKS, LATENTS = 8, 4
REMEDY = "Name a folder that AutoencoderKL.save_pretrained wrote, or hub:<owner>/<name>/<subfolder>"


def load_codec(source: str) -> AutoencoderKL:
    """Load a diffusers ``AutoencoderKL`` that shrinks frames by 8 to 4 latent channels.

    Args:
        source: a folder with ``config.json``, or ``hub:<owner>/<name>`` and, unless it is at the top,
            ``/<subfolder>``: for instance ``hub:HReynaud/EchoNet-Synthetic/vae``. Only safetensors are loaded.

    Raises:
        EchoAugmentError: the autoencoder cannot be loaded, or has another form.
    """
    where, subfolder = split_source(source)
    try:
        config = AutoencoderKL.load_config(where, subfolder=subfolder)
        _check(source, config)
        codec: AutoencoderKL = load_whole(
            AutoencoderKL, where, subfolder=subfolder, use_safetensors=True, torch_dtype=torch.float32, remedy=REMEDY
        )
    except EchoAugmentError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EchoAugmentError(f"codec {source}: cannot be loaded ({first})", REMEDY) from error
    return codec.eval()


def split_source(source: str) -> tuple[str, str]:
    """Return a folder or Hub id, and the subfolder in it."""
    if not source.startswith(HUB):
        folder = Path(source)
        if not (folder / "config.json").is_file():
            what = "there is no config.json" if folder.is_dir() else "there is no such folder"
            raise EchoAugmentError(f"codec {source}: {what}", REMEDY)
        return str(folder), ""
    parts = source.removeprefix(HUB).strip("/").split("/")
    if len(parts) < 2 or not all(parts):
        raise EchoAugmentError(f"codec {source}: a Hub id has an owner and a name", REMEDY)
    return "/".join(parts[:2]), "/".join(parts[2:])


def _check(source: str, config: Mapping[str, str | int | Sequence[int]]) -> None:
    """Raise unless it is an ``AutoencoderKL`` of 8x, 4 latent channels, and 1 or 3 image channels in and out."""
    kind = config.get("_class_name")
    if kind != "AutoencoderKL":
        raise EchoAugmentError(f"codec {source}: is a {kind}, not an AutoencoderKL", REMEDY)
    blocks, latents = config.get("block_out_channels", (64,)), config.get("latent_channels", 4)
    shrinks = 2 ** (len(blocks) - 1) if isinstance(blocks, list | tuple) else 0
    if (shrinks, latents) != (SHRINKS, LATENTS):
        raise EchoAugmentError(
            f"codec {source}: shrinks {shrinks} times to {latents} channels",
            f"Take a codec that shrinks {SHRINKS} times to {LATENTS} channels",
        )
    channels = config.get("in_channels", 3), config.get("out_channels", 3)
    if channels not in ((1, 1), (3, 3)):
        raise EchoAugmentError(
            f"codec {source}: takes {channels[0]} image channels and gives {channels[1]}",
            "Take a codec with 1 or 3 image channels, as many out as in",
        )
