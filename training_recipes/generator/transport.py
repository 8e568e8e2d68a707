"""Stage ``transport``: frames of a video from the motion of its affine copies, and where their tissue comes from."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.codec import encode
from echo_augment.augmentor.mcdm.displacement import inverted, warped
from echo_augment.augmentor.mcdm.flow import SHRINK
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.motion import pair_motion
from echo_augment.augmentor.mcdm.transport import MotionTransport, soft_disk

from .motions import SHOWN, Copies, Motions, copied, copied_frames

if TYPE_CHECKING:
    from .context import StageContext

STREAM = 4  # of random numbers
VALIDATE_EVERY = 500  # steps
CHOSEN_BY = "left"  # weights are kept by the watched videos' motion: the share that is left unexplained
CODE_WEIGHT = 1e-3  # of the codes' mean square in the loss: keeps their size near 1
# Of the displacement: distance from the flow estimator's in pixels, what warping leaves of the change between two
# frames, and its second differences in pixels. A latent error of 1 is the whole motion; these come to about half of it.
TEACHER_WEIGHT, LIGHT_WEIGHT, SMOOTH_WEIGHT = 0.2, 0.3, 0.3
HALF = 2  # frames are compared at half their size: speckle says little of the tissue


def seen_of(batch: dict[str, Tensor], mafe: MAFE) -> tuple[Tensor, Tensor, Tensor, Sequence[Tensor]]:
    """Return what the encoder reads of a batch: flow, frames, disks, and motion features, of copies made here.

    Args:
        batch: as `Motions` draws it: how the copies of the pairs of frames differ, and, for codes of the flow
            estimator's flow, this flow, which is copied with them.
        mafe: reads the motion of the copied pairs otherwise; it is not trained.
    """
    copies, pair = Copies.of(batch), batch["pair"].float() / 255
    disks = soft_disk(pair.shape[-1] // SHRINK, **copies.disks)[:, None]
    if "flow" in batch:
        return *copied(batch["flow"].float(), F.avg_pool2d(pair, SHRINK), copies), disks, []
    pair = copied_frames(pair, copies)
    with torch.no_grad():
        motion = pair_motion(mafe, pair[:, :1], pair[:, 1:])
    return motion.flow, F.avg_pool2d(pair, SHRINK), disks, motion.features


class Shown(NamedTuple):
    """What the predictor sees and is to make: a further copy of each pair of frames.

    Attributes:
        pair: the ED frame and the moved one, ``(B, 2, H, W)`` in [0, 1].
        teacher: the flow estimator's flow between them, ``(B, 2, h, w)``.
        reference: latents of the ED frames, ``(B, C, h / 2, w / 2)``.
        relative: those of the moved frames relative to them.
    """

    pair: Tensor
    teacher: Tensor
    reference: Tensor
    relative: Tensor


def shown_of(batch: dict[str, Tensor], codec: AutoencoderKL) -> Shown:
    """Make the copies that the predictor sees. Of the videos as they are it would learn how each one of them moves.

    Args:
        batch: as `Motions` draws it.
        codec: encodes them; it is not trained.
    """
    teacher, pair = copied(batch["teacher"].float(), batch["pair"].float() / 255, Copies.of(batch, SHOWN))
    grey = (255 * pair).round().to(torch.uint8)
    reference, moved = encode(codec, grey.flatten(0, 1)).float().unflatten(0, (-1, 2)).unbind(1)
    return Shown(pair, teacher, reference, moved - reference)


def transport_loss(
    scale: float, mafe: MAFE, codec: AutoencoderKL
) -> Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]:
    """Return a loss: the squared error of the predicted latents as a share of their own, and that of the displacement.

    Args:
        scale: standard deviation of the latents relative to the ED frame's.
        mafe: reads the motion of the copies.
        codec: encodes those that the predictor sees.
    """

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        flow, frames, disks, features = seen_of(batch, mafe)
        shown = shown_of(batch, codec)
        codes, moved, moves = model(flow, frames, disks, shown.reference, features)
        error = (moved.float() - shown.relative).pow(2).mean() / scale**2
        parts = displacement_losses(moves.float(), shown.pair, shown.teacher)
        of_moves = TEACHER_WEIGHT * parts["teacher"] + LIGHT_WEIGHT * parts["light"] + SMOOTH_WEIGHT * parts["smooth"]
        return {"loss": error + CODE_WEIGHT * codes.float().pow(2).mean() + of_moves, "error": error, **parts}

    return loss


def displacement_losses(moves: Tensor, pair: Tensor, teacher: Tensor) -> dict[str, Tensor]:
    """Return how far displacements are from the flow estimator's, what they leave of the change, how rough they are.

    No labels: the flow estimator's flow from the ED frame, inverted, teaches them where bright tissue is, and they are
    to make the moved frame of the ED frame.

    Args:
        moves: ``(B, 2, h, w)``, in pixels of a frame.
        pair: the ED frame and the moved one, ``(B, 2, H, W)`` in [0, 1].
        teacher: the flow estimator's flow between them, ``(B, 2, h, w)``.
    """
    side = pair.shape[-1]
    target, there = inverted(teacher, side=side)
    bright = 0.1 + F.avg_pool2d(pair[:, 1:], side // moves.shape[-1])
    weights = bright * there
    distance = F.smooth_l1_loss(moves, target, reduction="none").sum(1, keepdim=True)
    halves = F.avg_pool2d(pair, HALF)
    ed, moved = halves[:, :1], halves[:, 1:]
    left = (warped(ed, moves, side=side) - moved).abs().mean()
    across, down = moves.diff(n=2, dim=3), moves.diff(n=2, dim=2)
    return {
        "teacher": (distance * weights).sum() / weights.sum(),
        "light": left / (ed - moved).abs().mean().clamp_min(1e-3),
        "smooth": across.abs().mean() + down.abs().mean(),
    }


def explained(transport: MotionTransport, motions: Motions, mafe: MAFE, count: int = 512) -> dict[str, float]:
    """Return which share of the motion in frames of the watched videos is predicted from their copies' codes.

    Returns:
        ``explained`` of the latents' square; and ``warped`` of the frames' absolute change, by the displacement.
    """
    batch = motions.draw(np.random.default_rng(0), count, watched=True)
    device = transport.device
    errors, changes = [], []
    with torch.no_grad():
        for at in range(0, count, 64):
            part = {key: value[at : at + 64].to(device) for key, value in batch.items()}
            flow, frames, disks, features = seen_of(part, mafe)
            _, moved, moves = transport(flow, frames, disks, part["reference"], features)
            errors.append((moved - part["relative"]).cpu())
            ed, other = F.avg_pool2d(part["pair"].float(), HALF).split(1, dim=1)
            after = warped(ed, moves, side=part["pair"].shape[-1])
            changes.append(torch.stack([(after - other).abs().mean(), (ed - other).abs().mean()]).cpu())
    left, before = torch.stack(changes).mean(0)
    return {
        "explained": float(1 - torch.cat(errors).pow(2).mean() / batch["relative"].pow(2).mean()),
        "warped": float(1 - left / before),
    }


def watching(motions: Motions, mafe: MAFE) -> Callable[[nn.Module], Mapping[str, float | Tensor]]:
    """Return what judges a transport while it trains: the share that it explains of the watched videos' motion."""

    def validate(model: nn.Module) -> Mapping[str, float | Tensor]:
        assert isinstance(model, MotionTransport)
        found = explained(model, motions, mafe)
        return {**found, CHOSEN_BY: 1 - found["explained"]}

    return validate


def fit_features(transport: MotionTransport, motions: Motions, mafe: MAFE) -> None:
    """Measure the spread of MAFE's motion features over some copies, as the encoder's unit."""
    batch = {key: value.to(transport.device) for key, value in motions.draw(np.random.default_rng(0), 64).items()}
    transport.encoder.fit(seen_of(batch, mafe)[3])


def train(context: "StageContext") -> dict[str, float]:
    """Train the motion transport, and save it as it explained watched videos best."""
    settings, transport, mafe = context.preset.transport, context.networks.transport, context.networks.mafe
    assert transport is not None, "the table runs this stage only with code=transport"
    motions, scale = context.motions, context.latents.scale
    transport.to(context.device)
    if context.start is None:  # given weights have their units
        transport.register_to_config(scale=scale)
        fit_features(transport, motions, mafe)
    result = context.train(
        transport,
        lambda rng, share: motions.draw(rng, settings.batch, share),
        transport_loss(scale, mafe, context.networks.codec),
        settings,
        name="transport",
        stream=STREAM,
        validate=watching(motions, mafe),
        validate_every=VALIDATE_EVERY,
        select=CHOSEN_BY,
    )
    context.save(transport, "transport")
    quality = explained(transport, motions, mafe)
    return {"steps": result.steps, "seconds": result.seconds, "chosen_step": result.best_step, **quality}


def load(context: "StageContext") -> None:
    """Load the trained motion transport."""
    context.networks.transport = MotionTransport.from_pretrained(context.out / "transport").to(context.device).eval()
