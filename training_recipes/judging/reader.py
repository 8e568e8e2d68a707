"""The EF reader: trained on phantoms alone, it says what EF a clip shows. One is bundled."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.fingerprint import digest
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path
from echo_augment.cache.system.progress import say

from ..training.fit import fit
from .reader_net import SEEDS, EFReaderNet, Readings, read_ef, render_many

BUNDLED = Path(__file__).parent / "weights"
NAME = "reader.safetensors"
JUDGES = SEEDS + 10_000_000  # the phantoms that say how well it reads
BATCH = 16
BETA = 3.0  # EF points, and hundredths of a volume, beyond which an error counts by its size, not its square


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderTraining:
    """What a reader learned from.

    Attributes:
        clips: phantoms.
        steps: optimiser steps.
        num_frames: of a clip.
        fps: frames per second.
        image_size: side of the square frames in pixels.
        seed: of the net and the batches.
    """

    clips: int
    steps: int
    num_frames: int
    fps: float
    image_size: int
    seed: int

    def serves(self, wanted: "ReaderTraining") -> bool:
        """Return whether a reader so trained reads such clips, and learned at least as long; from any seed."""
        ours, theirs = ((one.num_frames, one.fps, one.image_size) for one in (self, wanted))
        return ours == theirs and self.clips >= wanted.clips and self.steps >= wanted.steps

    def to_json(self) -> dict[str, float]:
        """Return the fields under their published keys."""
        return {
            "clips": self.clips,
            "steps": self.steps,
            "frames": self.num_frames,
            "rate": self.fps,
            "size": self.image_size,
            "seed": self.seed,
        }

    def __str__(self) -> str:
        """Return them in words."""
        return (
            f"{self.clips} clips of {self.num_frames} frames of {self.image_size} pixels at {self.fps:g} a second, "
            f"{self.steps} steps"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderQuality:
    """How well a reader reads phantoms that it never saw, and what it learned from.

    Attributes:
        r2: coefficient of determination against the true EF.
        mae: mean absolute error in EF points.
        training: what it learned from.
        hash: of its file.
    """

    r2: float
    mae: float
    training: ReaderTraining
    hash: str

    def to_json(self) -> dict[str, float | str]:
        """Return the fields under their published keys."""
        return {"r2": self.r2, "mae": self.mae, **self.training.to_json(), "hash": self.hash}


class EFReader:
    """Reads the EF that clips show; an `EFPredictor`.

    Args:
        net: on the CPU, in eval mode.
        quality: how well it reads.
    """

    def __init__(self, net: EFReaderNet, quality: ReaderQuality) -> None:
        self.net, self.quality = net, quality

    def __call__(self, clips: Sequence[EchoClip], /) -> npt.NDArray[np.float64]:
        """Return the EF in percent of each clip; they must have the frame rate and size that the reader learned."""
        return np.concatenate([np.empty(0), *(self.read(clip.frames[None]) for clip in clips)])

    def read(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Return the EF in percent of clips ``(N, T, H, W)``."""
        return read_ef(self.net, torch.from_numpy(frames))


def get_reader(folder: Path | None, out: Path, wanted: ReaderTraining) -> EFReader:
    """Return the reader of a folder, or the bundled one where that serves, or one that is trained now.

    Args:
        folder: where a reader is kept; None takes the bundled one, or else trains one in ``out``.
        out: folder for a reader that has no other.
        wanted: how it is trained, or has been at least.

    Raises:
        EchoAugmentError: the folder's reader reads other clips, or learned from less, or is damaged.
    """
    if folder is None:
        reader = load_reader(BUNDLED / NAME, "Install the package again, or name a reader.folder of your own")
        training = reader.quality.training
        if training.serves(wanted):
            say(f"EF reader: bundled, trained on {training.clips} phantoms, {training.steps} steps")
            return reader
    path = (out if folder is None else folder) / NAME
    if not path.exists():
        return train_reader(path, wanted)
    reader = load_reader(path)
    if not reader.quality.training.serves(wanted):
        raise EchoAugmentError(
            f"{path}: was trained as {reader.quality.training}; asked for is {wanted}",
            "Ask for as much or less (reader.clips=, reader.steps=), or name another reader.folder",
        )
    return reader


def load_reader(path: Path, remedy: str = "Delete the file, and one is trained there anew") -> EFReader:
    """Return a reader that `train_reader` wrote.

    Args:
        path: its file.
        remedy: for a damaged one.

    Raises:
        EchoAugmentError: the file is no such reader.
    """
    net = EFReaderNet()
    try:
        with safe_open(path, "pt") as file:
            found = json.loads(file.metadata()["reader"])
            net.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118  # no mapping
        training = ReaderTraining(
            clips=found["clips"],
            steps=found["steps"],
            num_frames=found["frames"],
            fps=found["rate"],
            image_size=found["size"],
            seed=found["seed"],
        )
        quality = ReaderQuality(r2=found["r2"], mae=found["mae"], training=training, hash=digest(path.read_bytes()))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise EchoAugmentError(
            f"{path}: is no EF reader of this version ({type(error).__name__}: {error})", remedy
        ) from None
    return EFReader(net.eval(), quality)


def train_reader(path: Path, wanted: ReaderTraining) -> EFReader:
    """Train a reader, judge it on phantoms it never saw, an eighth as many, and keep it with its figures in a file."""
    with torch.random.fork_rng([]):
        torch.manual_seed(wanted.seed)
        net = EFReaderNet()
    form = (wanted.num_frames, wanted.fps, wanted.image_size)
    data = render_many(wanted.clips, *form, SEEDS, "reader's phantoms")
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=wanted.steps, pct_start=0.15)
    # A checkpoint of another training must not be gone on with.
    name = "-".join(["reader", *(str(value) for value in wanted.to_json().values())])
    fit(
        net,
        lambda step: _batches(data, wanted.seed, step),
        reading_loss,
        steps=wanted.steps,
        optimizer=optimizer,
        scheduler=schedule,
        out=path.parent,
        name=name,
        seed=wanted.seed,
        accelerator=Accelerator(mixed_precision="no", cpu=True),
        save_every=max(100, wanted.steps // 10),
    )
    net.cpu().eval()
    unseen = render_many(max(64, wanted.clips // 8), *form, JUDGES, "reader's judges")
    truth = unseen.ef.double().numpy()
    error = read_ef(net, unseen.clips) - truth
    r2 = 1 - float((error**2).mean() / truth.var())
    found = {"r2": r2, "mae": float(np.abs(error).mean()), **wanted.to_json()}
    with atomic_path(path) as temporary:
        state = {key: value.contiguous() for key, value in net.state_dict().items()}
        save_file(state, temporary, metadata={"reader": json.dumps(found)})
    (path.parent / f"{name}.ckpt").unlink(missing_ok=True)
    return load_reader(path)


def reading_loss(net: nn.Module, batch: Readings) -> dict[str, Tensor]:
    """Return the error of EF, and of the volumes in hundredths, which bring the net to look at the ventricle.

    Args:
        net: an :class:`~.reader_net.EFReaderNet`, perhaps wrapped.
        batch: clips ``(B, T, H, W)`` with values 0 to 255, EF ``(B,)`` in percent, volumes ``(B, T)`` as shares.

    Returns:
        ``ef`` and ``volumes``, smooth L1 distances in EF points and hundredths, and ``loss``, their sum.
    """
    ef, volumes = net(batch.clips)
    losses = {
        "ef": nn.functional.smooth_l1_loss(ef, batch.ef, beta=BETA),
        "volumes": nn.functional.smooth_l1_loss(100 * volumes, 100 * batch.volumes, beta=BETA),
    }
    return {"loss": losses["ef"] + losses["volumes"], **losses}


def _batches(data: Readings, seed: int, step: int) -> Iterator[Readings]:
    """Yield random clips, moved a little and brighter or darker; a pure function of the step."""
    while True:
        rng = np.random.default_rng([seed, step])
        chosen = torch.from_numpy(rng.integers(0, len(data.clips), BATCH))
        gain = torch.from_numpy(rng.uniform(0.85, 1.15, (BATCH, 1, 1, 1)).astype(np.float32))
        shift = tuple(int(value) for value in rng.integers(-6, 7, 2))
        moved = torch.roll(data.clips[chosen], shift, (2, 3)).float()
        yield Readings((moved * gain).clamp(0, 255), data.ef[chosen], data.volumes[chosen])
        step += 1
