"""The denoiser: diffusers' spatio-temporal UNet, told the reference frame and the motion; longer clips by windows."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_augment.cache.arguments import check_choice
from echo_augment.cache.system.extras import needs

from .published.strict import StrictModel

with needs("generate"):
    from diffusers import UNetSpatioTemporalConditionModel
    from diffusers.configuration_utils import ConfigMixin, register_to_config
    from diffusers.models.modeling_utils import ModelMixin

BETAS = (1e-4, 0.02)  # MCDM's linear schedule
TIMESTEPS = 1000
MOTIONS = ("frame", "vector")


class MotionDenoiser(StrictModel, ModelMixin, ConfigMixin):
    """Predicts v for the latents of a clip, given the reference frame's latent and motion codes.

    The latents come in relative to the reference frame's (unless made with ``absolute``), so that a clip without motion
    is all zeros and the network spends itself on what moves. Conditioning follows MCDM (arXiv 2512.09418): the
    reference latent is concatenated to every frame's.

    Args:
        channels: channels of the UNet's levels, multiples of 32.
        attention: which levels have spatial and temporal attention.
        heads: attention heads at each level.
        layers: residual blocks per level.
        latent_channels: the codec's.
        motion: ``"frame"``: one code per frame, added to that frame's timestep embedding; ``"vector"``: one code per
            clip, the only cross-attention token, as in MCDM.
        code_size: length of a motion code.
        cross_attention_dim: length of the token; a linear map makes it if it differs from ``code_size``.
        motion_scale: how much the latents of a clip differ from its reference frame's (their standard deviation).
        absolute: whether the latents are as they are, as MCDM's own, and not relative to the reference frame's.

    Raises:
        EchoAugmentError: ``motion`` is neither of the two.
    """

    config_name = "config.json"
    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        channels: tuple[int, ...] = (128, 256, 256, 512),
        attention: tuple[bool, ...] = (True, True, True, False),
        heads: tuple[int, ...] = (8, 16, 16, 32),
        layers: int = 2,
        latent_channels: int = 4,
        motion: str = "vector",
        code_size: int = 3072,
        cross_attention_dim: int = 3072,
        motion_scale: float = 1.0,
        absolute: bool = False,
    ) -> None:
        super().__init__()
        check_choice("motion", motion, MOTIONS)
        self.unet = UNetSpatioTemporalConditionModel(
            in_channels=2 * latent_channels,
            out_channels=latent_channels,
            down_block_types=tuple(
                "CrossAttnDownBlockSpatioTemporal" if here else "DownBlockSpatioTemporal" for here in attention
            ),
            up_block_types=tuple(
                "CrossAttnUpBlockSpatioTemporal" if here else "UpBlockSpatioTemporal" for here in reversed(attention)
            ),
            block_out_channels=tuple(channels),
            addition_time_embed_dim=1,
            projection_class_embeddings_input_dim=1,
            layers_per_block=layers,
            cross_attention_dim=cross_attention_dim,
            num_attention_heads=tuple(heads),
        )
        self.token = nn.Identity() if code_size == cross_attention_dim else nn.Linear(code_size, cross_attention_dim)
        # Dropped conditioning is a learned code: a code of zeros already means a heart that stands still.
        self.null = nn.Parameter(torch.zeros(code_size))
        width = 4 * channels[0]
        self.frame_embedding: nn.Module | None = None
        if motion == "frame":
            self.frame_embedding = nn.Sequential(nn.Linear(code_size, width), nn.SiLU(), nn.Linear(width, width))
            self._per_frame: Tensor | None = None
            # Before a whole level, not in each of its blocks: these compute again under gradient checkpointing, when
            # forward is over and nothing of the clip is left here.
            for level in (*self.unet.down_blocks, self.unet.mid_block, *self.unet.up_blocks):
                level.register_forward_pre_hook(self._add_frame_embedding, with_kwargs=True)

    def _add_frame_embedding(
        self, _level: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor]
    ) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """Add each frame's own code to the timestep embedding, which the UNet shares among all frames of a clip."""
        assert self._per_frame is not None, "forward sets it before the UNet runs"
        return args, kwargs | {"temb": kwargs["temb"] + self._per_frame}

    def forward(
        self,
        latents: Tensor,
        timestep: Tensor,
        reference: Tensor,
        motion: Tensor,
        drop: Tensor | None = None,
    ) -> Tensor:
        """Predict v.

        Args:
            latents: noisy, relative to the reference (unless made with ``absolute``), in units of ``motion_scale``:
                ``(B, F, C, h, w)``.
            timestep: ``(B,)``.
            reference: latent of the reference frame, ``(B, C, h, w)``.
            motion: codes ``(B, F, D)``, or ``(B, 1, D)`` with ``motion="vector"``.
            drop: ``(B,)`` bool, where the motion is withheld (classifier-free guidance).

        Returns:
            ``(B, F, C, h, w)``.
        """
        batch, frames, _, height, width = latents.shape
        if drop is not None:
            motion = torch.where(drop[:, None, None], self.null.to(motion.dtype), motion)
        x = torch.cat([latents, reference[:, None].expand(-1, frames, -1, -1, -1)], dim=2)
        # The UNet halves the sides at every level but the last: 14 x 14 is padded to 16 x 16.
        step = 2 ** (len(self.config["channels"]) - 1)
        right, below = -width % step, -height % step
        left, above = right // 2, below // 2
        x = F.pad(x.flatten(0, 1), (left, right - left, above, below - above), mode="replicate").unflatten(
            0, (batch, -1)
        )
        if self.frame_embedding is not None:
            self._per_frame = self.frame_embedding(motion).flatten(0, 1)
        token = self.token(motion.mean(1, keepdim=True))
        dummy = torch.zeros(batch, 1, dtype=x.dtype, device=x.device)
        try:
            v: Tensor = self.unet(x, timestep, token, dummy, return_dict=False)[0]
        finally:
            if self.frame_embedding is not None:
                self._per_frame = None  # else copies and other processes would get it, its device and its gradient
        return v[..., above : above + height, left : left + width]


Predict = Callable[[Tensor, slice], Tensor]


def window_starts(length: int, frames: int) -> list[int]:
    """Return the first frames of the windows of ``frames`` that cover ``length``; neighbours share at least half.

    MCDM (arXiv 2512.09418) has windows of 64 frames share 32. The last one ends with the clip.
    """
    hop = max(1, frames // 2)
    return [*range(0, length - frames, hop), length - frames]


def tent(frames: int) -> Tensor:
    """Return weights ``(frames,)`` of a window's frames: most in the middle, least at the ends, never zero.

    So a frame passes from one window to the next little by little, and a joint does not show.
    """
    rise = torch.arange(1, frames + 1, dtype=torch.float32)
    return torch.minimum(rise, rise.flip(0))


def predict_windows(predict: Predict, latents: Tensor, frames: int) -> Tensor:
    """Predict one denoising step for a clip of any length.

    Every window is predicted by itself, and the weighted mean counts where windows overlap; so
    all windows work on one common clip at every step (Bar-Tal et al., "MultiDiffusion", arXiv 2302.08113, over time).

    Args:
        predict: ``predict(part, where)`` for the latents of one window ``(B, frames, C, h, w)`` and its frames.
        latents: the whole clip's, ``(B, L, C, h, w)``, L at least ``frames``.
        frames: frames of a window.

    Returns:
        ``(B, L, C, h, w)``; for L = ``frames`` exactly what ``predict`` gives.
    """
    length = latents.shape[1]
    if length == frames:
        return predict(latents, slice(0, length))
    weights = tent(frames).to(latents.device)[:, None, None, None]
    total = torch.zeros(latents.shape, dtype=torch.float32, device=latents.device)
    share = torch.zeros(length, 1, 1, 1, device=latents.device)
    for start in window_starts(length, frames):
        where = slice(start, start + frames)
        total[:, where] += weights * predict(latents[:, where], where).float()
        share[where] += weights
    return (total / share).to(latents.dtype)
