"""Motion codes: what the generator is told of the motion donor, frame by frame and relative to its ED frame."""

import copy

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from .flow import FlowEstimator, grid_weights, pool_flow, shrink_flow
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


def transport_codes(mafe: MAFE, transport: MotionTransport, heart: Heart) -> Codes:
    """Return the code of every frame on the grid, ``(G, D)``: frame and flow through the transport's bottleneck."""
    full = mafe_flows(mafe, heart) if transport.config["flow"] == "mafe" else estimated_flows(heart)
    flows = torch.from_numpy(shrink_flow(full)).to(transport.device, transport.dtype)
    reference = small(torch.from_numpy(np.array(heart.reference))[None]).expand(len(flows), -1, -1, -1)
    frames = torch.cat([reference, small(torch.from_numpy(heart.frames[heart.grid]))], dim=1).to(flows)
    with torch.no_grad():
        codes: Codes = transport.encode(flows, frames).float().cpu().numpy()
    return codes


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
