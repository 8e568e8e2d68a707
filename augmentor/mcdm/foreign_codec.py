"""A codec that was trained elsewhere: any diffusers ``AutoencoderKL`` of the generator's form."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL

from echo_augment.cache import EchoAugmentError

HUB = "hub:"
SHRINKS, LATENTS = 8, 4
REMEDY = "Name a folder that AutoencoderKL.save_pretrained wrote, or hub:<owner>/<name>/<subfolder>"


def load_codec(source: str) -> AutoencoderKL:
    """Load a diffusers ``AutoencoderKL`` that shrinks frames by 8 to 4 latent channels.

    Args:
        source: a folder with ``config.json``, or ``hub:<owner>/<name>`` and, where it is not at the top,
            ``/<subfolder>``: for instance ``hub:HReynaud/EchoNet-Synthetic/vae/dynamic``. Only safetensors are loaded.

    Raises:
        EchoAugmentError: nothing there that can be loaded, or an autoencoder of another form.
    """
    where, subfolder = _split(source)
    try:
        config = AutoencoderKL.load_config(where, subfolder=subfolder)
        _check(source, config)
        codec = AutoencoderKL.from_pretrained(
            where, subfolder=subfolder, use_safetensors=True, torch_dtype=torch.float32, low_cpu_mem_usage=False
        )
    except EchoAugmentError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EchoAugmentError(f"codec {source}: cannot be loaded ({first})", REMEDY) from error
    return codec.eval()


def _split(source: str) -> tuple[str, str]:
    """Where diffusers looks: a folder or Hub id, and the subfolder in it."""
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


def _check(source: str, config: dict[str, object]) -> None:
    """Refuse what is not an ``AutoencoderKL`` of 8x, 4 latent channels, and 1 or 3 image channels in and out."""
    kind = config.get("_class_name")
    if kind != "AutoencoderKL":
        raise EchoAugmentError(f"codec {source}: is a {kind}, not an AutoencoderKL", REMEDY)
    blocks, latents = config.get("block_out_channels", (64,)), config.get("latent_channels", 4)
    shrinks = 2 ** (len(blocks) - 1) if isinstance(blocks, list | tuple) else 0
    if (shrinks, latents) != (SHRINKS, LATENTS):
        raise EchoAugmentError(
            f"codec {source}: shrinks {shrinks} times to {latents} channels",
            f"The generator needs {SHRINKS} times and {LATENTS} channels",
        )
    channels = config.get("in_channels", 3), config.get("out_channels", 3)
    if channels not in ((1, 1), (3, 3)):
        raise EchoAugmentError(
            f"codec {source}: takes {channels[0]} image channels and gives {channels[1]}",
            "It must be 1 or 3, and equal",
        )
