"""Motion codes: what the generator is told of the motion donor, frame by frame and relative to its ED frame."""

import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from .flow import SHRINK, FlowEstimator, grid_weights, pool_flow, shrink_flow
from .mafe import MAFE
from .phase import Heart
from .transport import MotionTransport, small

CELLS = 5
CODE_SIZE = 2 * CELLS * CELLS
Codes = npt.NDArray[np.float32]


def pooled(flow: Codes, reference: npt.NDArray[np.uint8]) -> Codes:
    """Pool flow fields ``(N, 2, H, W)`` from ``reference (H, W)`` on its bright tissue: ``(N, 50)`` pixels."""
    return pool_flow(flow, grid_weights(reference, CELLS))


def in_full(mafe: MAFE) -> MAFE:
    """Return a MAFE in full precision: a copy of one in half precision, where places in pixels would be off by half."""
    return mafe if mafe.dtype == torch.float32 else copy.deepcopy(mafe).float()


def mafe_flows(mafe: MAFE, heart: Heart, *, batch: int = 32) -> Codes:
    """Return MAFE's flow from the ED frame to every frame on the grid: ``(G, 2, H, W)``, in pixels."""
    mafe = in_full(mafe)
    reference = torch.from_numpy(np.array(heart.reference))[None, None].to(mafe.device).float() / 255
    frames = torch.from_numpy(heart.frames[heart.grid])[:, None]
    flows = []
    with torch.no_grad():
        for part in frames.split(batch):
            second = part.to(mafe.device).float() / 255
            flows.append(mafe.flow(reference.expand(len(second), -1, -1, -1), second).float().cpu())
    return torch.cat(flows).numpy()


def mafe_codes(mafe: MAFE, heart: Heart) -> Codes:
    """Return MAFE's code of every frame on the grid, ``(G, 50)``: its flow from the ED frame, pooled.

    The flow is read from the same features as the paper's motion vector; pooled on a 5 x 5 grid it says how much each
    region moved and little of what the region looks like.
    """
    return pooled(mafe_flows(mafe, heart), heart.reference)


@dataclass(frozen=True, slots=True)
class PairMotion:
    """What MAFE sees move between two frames.

    Attributes:
        flow: from the first to the second, ``(B, 2, H / 4, W / 4)``, in pixels of the full frame.
        features: its motion features of both directions, ``(B, C, H / 8, W / 8)`` and ``(B, C, H / 16, W / 16)``.
    """

    flow: Tensor
    features: list[Tensor]


def pair_motion(mafe: MAFE, first: Tensor, second: Tensor) -> PairMotion:
    """Return MAFE's motion of pairs of frames, ``(B, 1, H, W)`` in [0, 1] each; no frame is interpolated."""
    _, values, motions = mafe.features(first, second)
    state = mafe.states(first, second, values, motions)[-1]
    features = [torch.cat(motion.chunk(2), dim=1).float() for motion in motions]
    return PairMotion(F.avg_pool2d((state[:, 2:4] - state[:, 0:2]).float(), SHRINK), features)


def feature_channels(mafe: MAFE) -> tuple[int, ...]:
    """Return the channels of a MAFE's motion features, as `PairMotion` has them."""
    frame = torch.zeros(1, 1, int(mafe.config["size"]), int(mafe.config["size"]), device=mafe.device, dtype=mafe.dtype)
    with torch.no_grad():
        return tuple(part.shape[1] for part in pair_motion(mafe, frame, frame).features)


def transport_codes(mafe: MAFE, transport: MotionTransport, heart: Heart, *, batch: int = 32) -> Codes:
    """Return the code of every frame on the grid, ``(G, D)``: frame and motion through the transport's bottleneck."""
    mafe = in_full(mafe)
    first = torch.from_numpy(np.array(heart.reference))[None]
    frames = torch.from_numpy(heart.frames[heart.grid])
    whole = None
    if not transport.config["features"]:
        full = mafe_flows(mafe, heart) if transport.config["flow"] == "mafe" else estimated_flows(heart)
        whole = torch.from_numpy(shrink_flow(full))
    codes = []
    with torch.no_grad():
        for at in range(0, len(frames), batch):
            part = frames[at : at + batch].to(transport.device)
            shown = first.to(transport.device).expand_as(part)
            if whole is None:
                seen = pair_motion(mafe, shown[:, None].float() / 255, part[:, None].float() / 255)
            else:
                seen = PairMotion(whole[at : at + batch], [])
            pair = torch.cat([small(shown), small(part)], dim=1).to(transport.dtype)
            flow = seen.flow.to(pair)
            codes.append(transport.encode(flow, pair, None, [part.to(pair) for part in seen.features]).float().cpu())
    return torch.cat(codes).numpy()


def estimated_flows(heart: Heart) -> Codes:
    """Return the estimated flow from the ED frame to every frame on the grid: ``(G, 2, H, W)`` in pixels."""
    estimate, reference = FlowEstimator(), heart.reference
    return np.stack([estimate(reference, heart.frames[i]) for i in heart.grid])


def flow_codes(heart: Heart) -> Codes:
    """Return the flow estimator's code of every frame on the grid, ``(G, 50)``; nothing learned."""
    return pooled(estimated_flows(heart), heart.reference)


def vector_code(mafe: MAFE, heart: Heart) -> Codes:
    """Return one motion vector in MCDM's form, ``(1, D)``: of ED and ES frame in order of time, and of both turned.

    It is MCDM's own only of a MAFE as large and as trained as theirs (preset ``paper``), and ED and ES frame are found
    without labels, where theirs are the traced ones.
    """
    mafe = in_full(mafe)
    pair = torch.from_numpy(heart.frames[sorted((heart.ed, heart.es))])[:, None].to(mafe.device).float() / 255
    with torch.no_grad():
        return mafe.motion_vector(pair[:1], pair[1:], turned=True).float().cpu().numpy()


def stretch(codes: Tensor, frames: int, *, start: float = 0.0, tempo: float = 1.0) -> Tensor:
    """Read ``frames`` codes from ``codes (G, D)``, beginning at grid position ``start``, ``tempo`` positions a frame.

    Both leave the EF alone: a later start is another phase, a faster tempo a higher heart rate. Between grid
    positions the codes are interpolated linearly; beyond the last one they are held.
    """
    positions = (start + tempo * torch.arange(frames, dtype=torch.float64)).clamp(0, len(codes) - 1)
    low = positions.floor().long().clamp(max=max(0, len(codes) - 2))
    high = (low + 1).clamp(max=len(codes) - 1)
    share = (positions - low).to(codes.dtype)[:, None]
    return codes[low] * (1 - share) + codes[high] * share


def amplify(codes: Tensor, rest: Tensor, factor: float) -> Tensor:
    """Scale the distance of codes ``(G, D)`` from the ED frame's, ``rest (D,)``: another EF, another label."""
    return rest + factor * (codes - rest)


def room(grid: int, frames: int, tempo: float = 1.0) -> float:
    """Return the largest ``start`` for which `stretch` stays inside ``grid`` positions; negative if there is none."""
    return grid - 1 - tempo * (frames - 1)


def pad_to(codes: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Repeat the last code up to ``frames``; the second result, ``(frames,)`` bool, says which frames had a code."""
    there = torch.arange(frames) < len(codes)
    return F.pad(codes.T[None], (0, max(0, frames - len(codes))), mode="replicate")[0].T[:frames], there
