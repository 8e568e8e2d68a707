"""Published latent video diffusion models as `MCDMPipeline`: they sample as their makers' scripts do."""

from collections.abc import Sequence
from pathlib import Path

import torch

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.extras import needs

from ..codec import LATENTS, SHRINKS, ReferenceCodec
from ..denoiser import MotionDenoiser
from ..mafe import MAFE
from ..pipeline import MCDMPipeline
from .ef_token import CODE as EF
from .layouts import Layout, find_weights, published_scheduler
from .strict import load_whole

with needs("generate"):
    from diffusers import AutoencoderKL, UNetSpatioTemporalConditionModel
    from diffusers.models.modeling_utils import ModelMixin

REMEDY = "These are not the weights of this layout; from= says which one it is"
ATTENDS = {"CrossAttnDownBlockSpatioTemporal": True, "DownBlockSpatioTemporal": False}


def import_pipeline(
    source: str, layout: Layout, *, mafe: MAFE | None = None, rate: float | None = None, name: str | None = None
) -> MCDMPipeline:
    """Return a published generator as a pipeline that samples as its makers' script does.

    Their scaling factor and pixels (x / 128 - 1), their DDPM sampler with its timesteps and clipping, latents as they
    are and not relative to the reference frame's, which may be any frame of its video, and no detail added.

    Args:
        source: a folder or Hub id.
        layout: how the weights lie there.
        mafe: gives the motion vector, for a layout whose token it is.
        rate: frames per second of the clips that trained it; None: the layout's.
        name: kept as the clips' preset; None: the layout's name.

    Raises:
        EchoAugmentError: a file or weight is missing or not known (the first one is named), or the token's length fits
            neither an EF nor this MAFE.
    """
    vae, folder = find_weights(source, layout)
    codec, unet = import_codec(vae), load_unet(folder)
    denoiser = denoiser_of(unet, folder)
    token = int(denoiser.config["code_size"])
    if layout.code == EF and token != 1:
        raise EchoAugmentError(f"{folder}: its token has {token} numbers, an EF is one", "Give from=mcdm")
    if layout.code != EF:
        check_mafe(layout, folder, token, mafe)
    return MCDMPipeline(
        codec,
        denoiser,
        None if layout.code == EF else mafe,
        None,
        published_scheduler(),
        frames=int(unet.config["num_frames"]),
        rate=layout.rate if rate is None else rate,
        size=SHRINKS * int(unet.config["sample_size"]),
        code=layout.code,
        preset=layout.name if name is None else name,
        detail=False,
        steps=layout.steps,
        sampler="ddpm",
        reference="any",
    )


def import_codec(folder: Path) -> ReferenceCodec:
    """Return a published autoencoder, with its own scaling factor and pixels.

    Raises:
        EchoAugmentError: it cannot be loaded, or is of another form.
    """
    codec: ReferenceCodec = _load(AutoencoderKL, folder, ReferenceCodec)
    shrinks, latents = 2 ** (len(codec.config["block_out_channels"]) - 1), codec.config["latent_channels"]
    if (shrinks, latents) != (SHRINKS, LATENTS):
        raise EchoAugmentError(f"{folder}: shrinks {shrinks} times to {latents} channels, not {SHRINKS} to {LATENTS}")
    return codec


def load_unet(folder: Path) -> UNetSpatioTemporalConditionModel:
    """Return a published UNet of MCDM's form.

    Raises:
        EchoAugmentError: it cannot be loaded, or takes or gives something else.
    """
    unet = _load(UNetSpatioTemporalConditionModel, folder)
    wanted = {
        "in_channels": 2 * LATENTS,
        "out_channels": LATENTS,
        "addition_time_embed_dim": 1,
        "projection_class_embeddings_input_dim": 1,
        "transformer_layers_per_block": 1,
    }
    for key, value in wanted.items():
        if unet.config[key] != value:
            raise EchoAugmentError(f"{folder}: {key} is {unet.config[key]}, not {value}", REMEDY)
    return unet


def denoiser_of(unet: UNetSpatioTemporalConditionModel, folder: Path) -> MotionDenoiser:
    """Return a published UNet as a denoiser of absolute latents that is given its token as it is.

    Raises:
        EchoAugmentError: its levels are of another kind; ``folder`` is named.
    """
    config = unet.config
    unknown = [block for block in config["down_block_types"] if block not in ATTENDS]
    if unknown:
        raise EchoAugmentError(f"{folder}: has a level of kind {unknown[0]}", f"Known are {', '.join(ATTENDS)}")
    channels, heads, token = (
        config[name] for name in ("block_out_channels", "num_attention_heads", "cross_attention_dim")
    )
    denoiser = MotionDenoiser(
        tuple(channels),
        tuple(ATTENDS[block] for block in config["down_block_types"]),
        tuple(heads) if isinstance(heads, Sequence) else (heads,) * len(channels),
        config["layers_per_block"],
        LATENTS,
        motion="vector",
        code_size=token,
        cross_attention_dim=token,
        absolute=True,
    )
    denoiser.unet.load_state_dict(unet.state_dict())  # strict: raises unless it is the same network
    whole: MotionDenoiser = denoiser.eval()
    return whole


def check_mafe(layout: Layout, folder: Path, token: int, mafe: MAFE | None) -> None:
    """Raise if there is no MAFE, or its motion vector is not the token of ``folder``'s UNet.

    Raises:
        EchoAugmentError: with both lengths.
    """
    if mafe is None:
        raise EchoAugmentError(
            f"from={layout.name}: its token is MAFE's motion vector, and there is no MAFE",
            "Give mafe=FILE, its checkpoint in EMA-VFI's layout",
        )
    if token != 2 * mafe.vector_size:
        raise EchoAugmentError(
            f"{folder}: its token has {token} numbers, this MAFE's motion vector has {2 * mafe.vector_size}",
            "Take the MAFE that it was trained with",
        )


def _load(kind: type[ModelMixin], folder: Path, into: type[ModelMixin] | None = None) -> ModelMixin:
    """Load a network whole, as the class ``into``, from a folder that holds one of ``kind``."""
    found = kind.load_config(str(folder)).get("_class_name")
    if found != kind.__name__:
        raise EchoAugmentError(f"{folder}: is a {found}, not a {kind.__name__}", REMEDY)
    try:
        network = load_whole(into or kind, str(folder), remedy=REMEDY, use_safetensors=True, torch_dtype=torch.float32)
    except EchoAugmentError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EchoAugmentError(f"{folder}: cannot be loaded ({first})", REMEDY) from error
    return network.eval()
