"""The EF reader: trained on phantoms alone, it says what EF a clip shows. One is bundled."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.fingerprint import digest
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path
from echo_augment.training_recipes.training.fit import fit

from .reader_net import SEEDS, EFReader, Readings, read_ef, render_many

BUNDLED = Path(__file__).parent / "weights"
NAME = "reader.safetensors"
JUDGES = SEEDS + 10_000_000  # the phantoms that say how well it reads
BATCH = 16
BETA = 3.0  # EF points, and hundredths of a volume, beyond which an error counts by its size, not its square


@dataclass(frozen=True, slots=True)
class Training:
    """What a reader learned from.

    Attributes:
        clips: phantoms.
        steps: optimiser steps.
        frames: of a clip.
        rate: frames per second.
        size: of the square frames, pixels.
        seed: of the net and the batches.
    """

    clips: int
    steps: int
    frames: int
    rate: float
    size: int
    seed: int

    def serves(self, wanted: "Training") -> bool:
        """Whether a reader so trained reads such clips, and learned at least as long as ``wanted``; from any seed."""
        same = (self.frames, self.rate, self.size) == (wanted.frames, wanted.rate, wanted.size)
        return same and self.clips >= wanted.clips and self.steps >= wanted.steps


def get_reader(folder: Path | None, out: Path, wanted: Training) -> tuple[EFReader, dict[str, Any]]:
    """The reader of a folder, or the bundled one where that serves, or one that is trained now.

    Args:
        folder: where a reader is kept; None takes the bundled one, or else trains one in ``out``.
        out: for a reader that has no other folder.
        wanted: how it is trained, or has been at least.

    Returns:
        The net, and its figures on phantoms it never saw (``r2``, and ``mae`` in EF points) with its training and the
        hash of its file.

    Raises:
        EchoAugmentError: the folder's reader reads other clips, or learned from less, or is damaged.
    """
    if folder is None:
        net, found = load_reader(BUNDLED / NAME, "Install the package again, or name a reader.folder of your own")
        if _training(found).serves(wanted):
            print(f"EF reader: bundled, trained on {found['clips']} phantoms, {found['steps']} steps")
            return net, found
    path = (out if folder is None else folder) / NAME
    if not path.exists():
        return train_reader(path, wanted)
    net, found = load_reader(path)
    if not _training(found).serves(wanted):
        raise EchoAugmentError(
            f"{path}: was trained as {_words(_training(found))}; asked for is {_words(wanted)}",
            "Ask for as much or less (reader.clips=, reader.steps=), or name another reader.folder",
        )
    return net, found


def _training(found: dict[str, Any]) -> Training:
    return Training(**{key: found[key] for key in Training.__slots__})


def _words(training: Training) -> str:
    return (
        f"{training.clips} clips of {training.frames} frames of {training.size} pixels at {training.rate:g} a second, "
        f"{training.steps} steps"
    )


def load_reader(
    path: Path, remedy: str = "Delete the file, and one is trained there anew"
) -> tuple[EFReader, dict[str, Any]]:
    """A reader that :func:`train_reader` wrote, and its figures.

    Args:
        path: of the file.
        remedy: for one that is damaged.

    Raises:
        EchoAugmentError: the file is no such reader.
    """
    net = EFReader()
    try:
        with safe_open(path, "pt") as file:
            found = json.loads(file.metadata()["reader"])
            net.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118  # no mapping
            _training(found)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise EchoAugmentError(
            f"{path}: is no EF reader of this version ({type(error).__name__}: {error})", remedy
        ) from None
    return net.eval(), found | {"hash": digest(path.read_bytes())}


def train_reader(path: Path, wanted: Training) -> tuple[EFReader, dict[str, Any]]:
    """Train a reader, judge it on phantoms it never saw, an eighth as many, and keep it with its figures in a file."""
    with torch.random.fork_rng([]):
        torch.manual_seed(wanted.seed)
        net = EFReader()
    data = render_many(wanted.clips, wanted.frames, wanted.rate, wanted.size, SEEDS, "reader's phantoms")
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=wanted.steps, pct_start=0.15)
    # A checkpoint of another training must not be gone on with.
    name = "-".join(["reader", *(str(value) for value in asdict(wanted).values())])
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
    unseen = render_many(max(64, wanted.clips // 8), wanted.frames, wanted.rate, wanted.size, JUDGES, "reader's judges")
    truth = unseen.ef.double().numpy()
    error = read_ef(net, unseen.clips) - truth
    r2 = 1 - float((error**2).mean() / truth.var())
    found = {"r2": r2, "mae": float(np.abs(error).mean()), **asdict(wanted)}
    with atomic_path(path) as temporary:
        state = {key: value.contiguous() for key, value in net.state_dict().items()}
        save_file(state, temporary, metadata={"reader": json.dumps(found)})
    (path.parent / f"{name}.ckpt").unlink(missing_ok=True)
    return net, found | {"hash": digest(path.read_bytes())}


def reading_loss(net: nn.Module, batch: Readings) -> dict[str, Tensor]:
    """Error of EF, and of the volumes in hundredths, which bring the net to look at the ventricle.

    Args:
        net: an :class:`~.reader_net.EFReader`, perhaps wrapped.
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
    """Random clips, moved a little and brighter or darker; a pure function of the step."""
    while True:
        rng = np.random.default_rng([seed, step])
        chosen = torch.from_numpy(rng.integers(0, len(data.clips), BATCH))
        gain = torch.from_numpy(rng.uniform(0.85, 1.15, (BATCH, 1, 1, 1)).astype(np.float32))
        shift = tuple(int(value) for value in rng.integers(-6, 7, 2))
        moved = torch.roll(data.clips[chosen], shift, (2, 3)).float()
        yield Readings((moved * gain).clamp(0, 255), data.ef[chosen], data.volumes[chosen])
        step += 1
