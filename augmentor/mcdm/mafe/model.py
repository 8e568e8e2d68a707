"""``MAFE``, the Motion and Appearance Feature Extractor: interpolates the frame between two frames of a video."""

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.extras import needs

from .backbone import Backbone
from .heads import FlowHead, merge
from .refinement import Refinement, warp_features

with needs("generate"):
    from diffusers.configuration_utils import ConfigMixin, register_to_config
    from diffusers.models.modeling_utils import ModelMixin


@dataclass
class MAFEOutput:
    """What MAFE finds in a pair of frames; C is the network's ``channels``.

    Attributes:
        frame: the interpolated middle frame ``(B, C, H, W)``, in [0, 1].
        merges: the frame merged from both warped ones after each flow estimate, coarse to fine.
        flows: from the middle frame to the first and to the second in pixels, ``(B, 4, H, W)``, x before y.
        motion: motion features of each attention stage, both directions, ``(B, 2, C, h, w)``.
        appearance: of each frame, ``(B, 2, C)``: the mean of the last stage's appearance features.
    """

    frame: Tensor
    merges: list[Tensor]
    flows: Tensor
    motion: list[Tensor]
    appearance: Tensor

    @property
    def flow(self) -> Tensor:
        """The flow from the first frame to the second in pixels, ``(B, 2, H, W)``: the difference of both flows."""
        return self.flows[:, 2:4] - self.flows[:, 0:2]

    @property
    def vector(self) -> Tensor:
        """The motion vector ``(B, D)``, as `MAFE.motion_vector` returns it of the pair as it is."""
        return torch.cat([stage.mean((3, 4)) for stage in self.motion], dim=2).flatten(1)


class MAFE(ModelMixin, ConfigMixin):
    """Interpolates the frame between two frames of a video; its features separate motion from appearance.

    The network is EMA-VFI's (Zhang et al., CVPR 2023, arXiv 2303.00440), which MCDM (arXiv 2512.09418) uses for
    echocardiography: a convolution pyramid, two stages of inter-frame attention, two heads for flow, and a refinement
    U-Net. At width 32, depths 2, 2, 2, 4, 4, and 3 channels it has EMA-VFI's 65,662,359 parameters and computes the
    same (``tests/parity``). With 1 channel only the layers that meet frames are smaller: 65,637,589 parameters.

    Args:
        width: F; channels are ``F * (1, 2, 4, 8, 16)`` at strides 1, 2, 4, 8, 16; a multiple of 4.
        depths: layers of the three convolution and the two attention stages.
        heads: attention heads of the two attention stages.
        window: side of the attention window; the feature maps at strides 8 and 16 must be multiples of it.
        size: side of the square frames.
        channels: of a frame: 1, or 3 for EMA-VFI's own; to these a gray frame is given three times.

    Raises:
        EchoAugmentError: sizes that do not divide each other.

    >>> mafe = MAFE(width=8, depths=(1, 1, 1, 1, 1), heads=(2, 4)).eval()
    >>> first, second = torch.rand(2, 3, 1, 112, 112)
    >>> output = mafe(first, second)
    >>> output.frame.shape, output.flow.shape
    (torch.Size([3, 1, 112, 112]), torch.Size([3, 2, 112, 112]))
    >>> mafe.motion_vector(first, second).shape == (3, mafe.vector_size)
    True
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        width: int = 32,
        depths: tuple[int, ...] = (2, 2, 2, 4, 4),
        heads: tuple[int, ...] = (8, 16),
        window: int = 7,
        size: int = 112,
        channels: int = 1,
    ) -> None:
        super().__init__()
        _check(width, depths, heads, window, size, channels)
        sizes = [width * 2**level for level in range(5)]
        self.backbone = Backbone(channels, sizes, depths, heads, size, window)
        self.flow_heads = nn.ModuleList(
            [
                FlowHead(4 * sizes[4], channels, sizes[2], 16, first=True),
                FlowHead(4 * sizes[3], channels, sizes[2], 8),
            ]
        )
        self.refinement = Refinement(channels, width)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any) -> "MAFE":
        """Load a saved MAFE.

        Raises:
            EchoAugmentError: the file lacks weights, or holds others: it is of another network. (diffusers would draw
                fresh ones, with a warning.)
        """
        asked = bool(kwargs.pop("output_loading_info", False))
        loaded: tuple[MAFE, dict[str, list[str]]] = super().from_pretrained(
            pretrained_model_name_or_path, output_loading_info=True, **kwargs
        )
        mafe, found = loaded
        wrong = [*found["missing_keys"], *found["unexpected_keys"]]
        if wrong:
            raise EchoAugmentError(
                f"{pretrained_model_name_or_path}: not the weights of this MAFE: {len(found['missing_keys'])} are "
                f"missing and {len(found['unexpected_keys'])} unknown, {wrong[0]} the first",
                "Train it anew (train-generator), or load a pipeline that does not read MAFE with mafe=None",
            )
        return loaded if asked else mafe  # type: ignore[return-value]

    @property
    def vector_size(self) -> int:
        """Length of the motion vector of a pair: 1536 at width 32."""
        return 48 * int(self.config["width"])

    def features(self, first: Tensor, second: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return pyramid, appearance and motion features, fine to coarse; the first frames lie before the second ones.

        Args:
            first: ``(B, C, H, W)`` in [0, 1]; C may be 1, whatever the network's ``channels``.
            second: the same.

        Returns:
            Three levels ``(2 B, c, h, w)`` of the pyramid, at strides 1, 2, 4; the features of both attention stages;
            their motion features, of each frame towards the other.
        """
        found: tuple[list[Tensor], list[Tensor], list[Tensor]] = self.backbone(self._full(first), self._full(second))
        return found

    def states(
        self, first: Tensor, second: Tensor, values: list[Tensor], motions: list[Tensor], time: float = 0.5
    ) -> list[Tensor]:
        """Return flows from the middle frame to both ends and the merging logit, ``(B, 5, H, W)``, coarse to fine.

        Args:
            first: as of `features`.
            second: the same.
            values: appearance features, as `features` returns them.
            motions: motion features.
            time: of the frame between, from 0, the first, to 1, the second.
        """
        first, second = self._full(first), self._full(second)
        states: list[Tensor] = []
        for head, value, motion in zip(self.flow_heads, values[::-1], motions[::-1], strict=True):
            there, back = motion.chunk(2)
            both = torch.cat([time * there, (1 - time) * back, *value.chunk(2)], dim=1)
            states.append(head(both, first, second, states[-1] if states else None))
        return states

    def flow(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the flow from ``first`` to ``second`` in pixels, ``(B, 2, H, W)``; no middle frame is drawn."""
        _, values, motions = self.features(first, second)
        state = self.states(first, second, values, motions)[-1]
        return state[:, 2:4] - state[:, 0:2]

    def forward(self, first: Tensor, second: Tensor, time: float = 0.5) -> MAFEOutput:
        """Interpolate between ``first`` and ``second``, each ``(B, C, H, W)`` in [0, 1], by default halfway."""
        first, second = self._full(first), self._full(second)
        pyramid, values, motions = self.features(first, second)
        states = self.states(first, second, values, motions, time)
        merged = [merge(first, second, state) for state in states]
        state, (frame, warped) = states[-1], merged[-1]
        images = torch.cat([first, second, warped, state[:, 4:5], state[:, :4]], dim=1)
        frame = frame + self.refinement(images, warp_features([*pyramid, *values], state[:, :4]))
        return MAFEOutput(
            frame=frame.clamp(0, 1),
            merges=[one for one, _ in merged],
            flows=state[:, :4],
            motion=[torch.stack(motion.chunk(2), dim=1) for motion in motions],
            appearance=torch.stack([item.mean((2, 3)) for item in values[-1].chunk(2)], dim=1),
        )

    def motion_vector(self, first: Tensor, second: Tensor, *, turned: bool = False) -> Tensor:
        """Return the motion vector of pairs: the spatial means of the motion features.

        Args:
            first: ``(B, C, H, W)`` in [0, 1].
            second: the same.
            turned: take the pair turned by 180 degrees as well, as the reference does.

        Returns:
            ``(B, D)``: of the first frame, the finer stage's before the coarser's, then of the second; ``(B, 2 D)``
            with ``turned``, each frame's followed by those of it turned.
        """
        ways = [(first, second)] + ([(first.flip(2, 3), second.flip(2, 3))] if turned else [])
        frames: list[list[Tensor]] = [[], []]
        for one, two in ways:
            _, _, motions = self.features(one, two)
            means = torch.cat([motion.mean((2, 3)) for motion in motions], dim=1)
            for parts, mean in zip(frames, means.chunk(2), strict=True):
                parts.append(mean)
        return torch.cat([*frames[0], *frames[1]], dim=1)

    def _full(self, frames: Tensor) -> Tensor:
        return frames.expand(-1, int(self.config["channels"]), -1, -1)


def _check(width: int, depths: tuple[int, ...], heads: tuple[int, ...], window: int, size: int, channels: int) -> None:
    """Raise if the sizes do not divide each other."""
    problems = {
        f"width={width} is no multiple of 4": width % 4,
        f"channels={channels} is neither 1 nor 3": channels not in (1, 3),
        f"size={size}: its sixteenth is no multiple of window={window}": size % (16 * window),
    }
    for level, head in zip((3, 4), heads, strict=True):
        size_there = width * 2**level
        problems[f"heads={tuple(heads)}: {head} do not divide {size_there} channels, or a layer's share of them"] = (
            size_there % head or size_there % depths[level] or size_there // depths[level] % head
        )
    wrong = [text for text, is_wrong in problems.items() if is_wrong]
    if wrong:
        raise EchoAugmentError(f"MAFE: {wrong[0]}", "Take the sizes of a preset (conf/preset)")
