"""Stage ``mafe``: pairs of frames with the one halfway between, and the losses of MCDM."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.flow import SHRINK, FlowEstimator
from echo_augment.augmentor.mcdm.mafe import MAFE, MAFEOutput
from echo_augment.augmentor.mcdm.mafe.losses import flow_loss, laplacian_loss, reid_loss
from echo_augment.augmentor.mcdm.mafe.turns import Turn
from echo_augment.cache.errors import EchoAugmentError

from ..common.likeness import frame_likeness
from ..common.ranks import ALONE, Share
from .prepare import Prepared
from .preset import LossWeights
from .pseudo import PseudoLabels

if TYPE_CHECKING:
    from .context import StageContext

STREAM = 2  # of random numbers
SHAPE = ("width", "depths", "heads", "window", "channels")  # of a network
CHOSEN_BY = "error"  # weights are kept by the interpolation of watched videos: minus its PSNR
Frames = npt.NDArray[np.uint8]
Flow = npt.NDArray[np.float32]


class WithHead(nn.Module):
    """MAFE and the linear head by which its appearance meets the re-ID model's embeddings; only training needs it."""

    def __init__(self, mafe: MAFE, embedding: int) -> None:
        super().__init__()
        self.mafe = mafe
        self.head = nn.Linear(16 * int(mafe.config["width"]), embedding)

    def forward(self, first: Tensor, second: Tensor) -> tuple[MAFEOutput, Tensor]:
        """Return what MAFE finds, and the appearance of both frames as embeddings ``(B, 2, D)``."""
        output: MAFEOutput = self.mafe(first, second)
        return output, self.head(output.appearance)


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair of frames and the one halfway, as drawn.

    Attributes:
        video: number of the training video.
        at: grid position of the frame that is not the ED frame.
        ends: first and second frame.
        turn: how all three lie.
    """

    video: int
    at: int
    ends: tuple[int, int]
    turn: Turn


def draw_pairs(data: Prepared, rng: np.random.Generator, count: int, reach: int) -> list[Pair]:
    """Draw pairs, as `pair_batch` says."""
    pairs = []
    for index in rng.integers(0, len(data.training), count):
        heart = data.training[index]
        steps = (heart.grid - heart.ed) // 2
        choices = np.flatnonzero((np.abs(steps) <= reach) & (steps != 0))
        at = int(rng.choice(choices)) if len(choices) else int(rng.integers(len(steps)))
        ends = heart.ed, int(heart.grid[at])
        swapped = rng.random() < 0.5
        pairs.append(Pair(int(index), at, ends[::-1] if swapped else ends, Turn.draw(rng)))
    return pairs


def pair_batch(
    data: Prepared,
    pseudo: PseudoLabels,
    rng: np.random.Generator,
    count: int,
    reach: int,
    target: str,
    share: Share = ALONE,
) -> dict[str, Tensor]:
    """Draw pairs (ED frame, frame t) with the frame halfway between them, in either order, flipped and turned.

    What MAFE is to find goes along: the flow turns with the frames, the embeddings change places with them. The
    reference turns and swaps the frames alone.

    Args:
        data: the videos.
        pseudo: their embeddings, and their flows from the ED frame.
        rng: decides everything.
        count: pairs.
        reach: most frames of the generator between the two, so that "halfway" means one heart-beat's motion.
        target: which flow: ``ends``, from the middle frame to both, estimated here; or ``pair``, from the first to the
            second, as in ``pseudo``; there the way back is taken for the opposite of the way, which is only nearly so.
        share: the process's, of the pairs.

    Returns:
        ``frames``: ``(B, 3, H, W)`` uint8, first, second and middle; ``flow``: ``(B, 4, H, W)`` for ``ends``,
        ``(B, 2, H / 4, W / 4)`` for ``pair``, in pixels of the full frame; ``embedding``: ``(B, 2, D)``.
    """
    pairs = share.of(draw_pairs(data, rng, count, reach))
    frames = [data.training[pair.video].frames[[*pair.ends, sum(pair.ends) // 2]] for pair in pairs]
    embeddings = [pseudo.embedding(pair.video)[list(pair.ends)] for pair in pairs]
    if target == "ends":
        with ThreadPoolExecutor(max(1, min(len(pairs), cv2.getNumThreads()))) as pool:
            flows = list(pool.map(flows_to_ends, frames))
    else:
        flows = [_pseudo_flow(data, pseudo, pair) for pair in pairs]
    turned = [pair.turn.frames(triple) for pair, triple in zip(pairs, frames, strict=True)]
    moved = [_turned_flow(pair.turn, flow) for pair, flow in zip(pairs, flows, strict=True)]
    return {
        "frames": torch.from_numpy(np.stack(turned)),
        "flow": torch.from_numpy(np.stack(moved)),
        "embedding": torch.from_numpy(np.stack(embeddings)),
    }


def flows_to_ends(triple: Frames) -> Flow:
    """Return the estimated flow from the middle frame to the first and to the second, ``(4, H, W)`` in pixels.

    Args:
        triple: first, second and middle frame, ``(3, H, W)``.
    """
    first, second, middle = triple
    estimate = FlowEstimator()
    return np.concatenate([estimate(middle, first), estimate(middle, second)])


def _pseudo_flow(data: Prepared, pseudo: PseudoLabels, pair: Pair) -> Flow:
    flow = pseudo.flow(pair.video, pair.at)
    return flow if pair.ends[0] == data.training[pair.video].ed else -flow


def _turned_flow(turn: Turn, flow: Flow) -> Flow:
    pairs = flow.reshape(-1, 2, *flow.shape[-2:])
    return np.asarray(turn.flow(pairs).reshape(flow.shape), np.float32)


def mafe_loss(weights: LossWeights) -> Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]:
    """Return the loss of `WithHead`: Laplacian of the middle frame and half of each merge, weighted re-ID and flow."""

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        first, second, middle = (batch["frames"].float() / 255).split(1, dim=1)
        output, embeddings = model(first, second)
        interpolation = laplacian_loss(output.frame.float(), middle)
        merges = torch.stack([laplacian_loss(merge.float(), middle) for merge in output.merges]).sum()
        found = output.flows.float()
        if weights.flow_target == "pair":
            found = F.avg_pool2d(output.flow.float(), SHRINK)
        losses = {
            "interpolation": interpolation,
            "reid": reid_loss(
                embeddings.float(), batch["embedding"], distance=weights.reid_distance, unit=weights.reid_unit
            ),
            "flow": flow_loss(found, batch["flow"], unit=weights.flow_unit),
            "psnr": -10 * (output.frame.float() - middle).pow(2).mean().detach().log10(),
        }
        total = interpolation + 0.5 * merges + weights.reid * losses["reid"] + weights.flow * losses["flow"]
        return {"loss": total, **losses}

    return loss


def middle_frames(data: Prepared, reach: int, count: int = 64) -> Frames:
    """Return triples ``(N, 3, H, W)`` of watched videos: ED frame, the farthest within ``reach`` steps, the middle."""
    triples = []
    for heart in data.watched[:count]:
        far = (
            heart.ed + 2 * reach
            if heart.ed + 2 * reach < len(heart.frames)
            else max(heart.ed % 2, heart.ed - 2 * reach)
        )
        triples.append(heart.frames[[heart.ed, far, (heart.ed + far) // 2]])
    return np.stack(triples)


def interpolated(mafe: MAFE, triples: Frames, *, batch: int = 16) -> Tensor:
    """Return the middle frames that MAFE finds for the ends of triples, ``(N, H, W)`` float in [0, 1], on the CPU."""
    made = []
    with torch.no_grad():
        for part in torch.from_numpy(triples).split(batch):
            first, second, _ = (part.to(mafe.device).float() / 255).split(1, dim=1)
            made.append(mafe(first, second).frame.float().mean(1).cpu())
    return torch.cat(made)


def interpolation_error(triples: Frames) -> Callable[[nn.Module], Mapping[str, float | Tensor]]:
    """Return what judges `WithHead` while it trains: the PSNR in dB of the middle frames, the mean over triples."""
    middle = torch.from_numpy(triples[:, 2]).float() / 255

    def validate(model: nn.Module) -> Mapping[str, float | Tensor]:
        assert isinstance(model, WithHead)
        error = (interpolated(model.mafe, triples) - middle).pow(2).mean((1, 2))
        psnr = float((-10 * error.clamp_min(1e-10).log10()).mean())
        return {"psnr": psnr, CHOSEN_BY: -psnr}

    return validate


def interpolation_quality(mafe: MAFE, triples: Frames) -> dict[str, float]:
    """Compare MAFE's middle frames of watched videos with the true ones: PSNR in dB and SSIM.

    ``blend`` is the same for the plain mean of both ends, which MAFE has to beat.
    """
    made = (interpolated(mafe, triples) * 255).round().clamp(0, 255).to(torch.uint8)
    found = frame_likeness(made.numpy(), triples[:, 2])
    blend = frame_likeness(triples[:, :2].mean(1).round().astype(np.uint8), triples[:, 2])
    return {
        "watched_psnr": found.psnr,
        "watched_ssim": found.ssim,
        "blend_psnr": blend.psnr,
        "blend_ssim": blend.ssim,
    }


def with_head(mafe: MAFE, embedding: int, seed: int) -> WithHead:
    """Return MAFE with a fresh head, whose weights follow from the seed alone."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return WithHead(mafe, embedding)


def train(context: "StageContext") -> dict[str, float]:
    """Train MAFE on the pseudo labels, and save it as it interpolated watched videos best."""
    settings, mafe, data = context.preset.mafe, context.networks.mafe, context.data
    labels = PseudoLabels(context.out / "pseudo.h5")
    triples = middle_frames(data, settings.reach)
    if settings.start is not None:
        start_from(mafe, settings.start)
    result = context.train(
        with_head(mafe, context.preset.reid.embedding, context.settings.seed),
        lambda rng, share: pair_batch(
            data, labels, rng, settings.batch, settings.reach, settings.losses.flow_target, share
        ),
        mafe_loss(settings.losses),
        settings,
        name="mafe",
        stream=STREAM,
        validate=interpolation_error(triples),
        validate_every=settings.validate_every,
        select=CHOSEN_BY,
    )
    context.save(mafe, "mafe")
    kept = {key: result.losses[key] for key in ("psnr", "flow", "reid") if key in result.losses}
    quality = interpolation_quality(mafe, triples)
    return {"steps": result.steps, "seconds": result.seconds, "chosen_step": result.best_step, **kept, **quality}


def start_from(mafe: MAFE, folder: str) -> None:
    """Give a MAFE the weights of a saved one.

    Raises:
        EchoAugmentError: it cannot be loaded, or is another network.
    """
    found = MAFE.from_pretrained(folder)
    own, theirs = ({key: net.config[key] for key in SHAPE} for net in (mafe, found))
    different = [f"{key}={theirs[key]}, not {own[key]}" for key in SHAPE if list_of(theirs[key]) != list_of(own[key])]
    if different:
        raise EchoAugmentError(
            f"preset.mafe.start={folder}: that MAFE has {'; '.join(different)}",
            f"Set preset.mafe as it is: {', '.join(SHAPE)}",
        )
    mafe.load_state_dict(found.state_dict())


def list_of(value: int | Sequence[int]) -> list[int]:
    """Return a number or several as a list: a saved configuration has lists for tuples."""
    return [value] if isinstance(value, int) else list(value)


def load(context: "StageContext") -> None:
    """Load the trained MAFE."""
    mafe = MAFE.from_pretrained(context.out / "mafe").to(context.device).eval()
    context.networks.mafe = mafe.to(memory_format=torch.channels_last)  # faster on a CPU
