"""Table ``live``: what a generator process beside the training costs it."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler

from echo_augment.augmentor import LiveClips, SyntheticAugment
from echo_augment.augmentor.devices import wait_for
from echo_augment.cache import EchoAugmentError, EchoClip
from echo_augment.cache.system.progress import duration, follow
from echo_augment.training_recipes.ef.models import make_model
from echo_augment.training_recipes.training.batches import DecodedEcho

from .material import FPS, MEAN, PAD, STD, Material
from .rows import Row, Table, against, missing, number
from .timing import Spread

WAIT = 1.0  # percent
PATIENCE = 600.0  # seconds for the process to load and make its first clip
BLOCK = 4  # steps between stopping the generator process and letting it go on
WAITED = "loader wait attributable to the source, of a step"
HOW = (
    "An EF training on {where} ({model}, batches of {batch}, videos decoded in memory, no workers that could hide a "
    "wait) with SyntheticAugment(base, LiveClips(..), p=0.5), while the generator process makes clips. Wait: seconds "
    "inside the source's take(), which hands out a clip or falls back, summed over a step's items, over the seconds of "
    f"the step. Slowdown: blocks of {BLOCK} steps with the generator process stopped (SIGSTOP) and going on in turns."
)


@dataclass
class Timed:
    """A source whose `take` is timed.

    Attributes:
        source: the one that is timed.
        seconds: time spent inside ``source.take`` since it was set to 0.
    """

    source: LiveClips
    seconds: float = 0.0

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """Return the source's EF in percent."""
        return self.source.ef

    @property
    def donors(self) -> frozenset[str]:
        """Return the source's donors."""
        return self.source.donors

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> EchoClip:
        return self.source[index]

    def take(self, index: int, key: tuple[int, int, int]) -> tuple[EchoClip | None, str]:
        """Return what the source's does, and count the seconds."""
        began = time.perf_counter()
        found = self.source.take(index, key)
        self.seconds += time.perf_counter() - began
        return found


@dataclass
class Steps:
    """What was seen of the training.

    Attributes:
        beside: seconds of each step beside the running generator.
        alone: seconds of each step while it stood still.
        waits: percent of each step beside it that the source took.
        running: seconds for which it ran in all.
        made: clips that it made meanwhile.
    """

    beside: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    running: float = 0.0
    made: int = 0


class Training:
    """An EF training that goes one step at a time; the batch is drawn inside the step.

    Args:
        data: a dataset of ``(clip, EF)``.
        model: name of an EF model.
        device: to train on.
        batch: items a step.
    """

    def __init__(self, data: Any, model: str, device: torch.device, batch: int) -> None:
        order = RandomSampler(data, True, num_samples=10**6, generator=torch.Generator().manual_seed(0))
        self.batches = iter(DataLoader(data, batch, sampler=order))
        settings: dict[str, str] = {"weights": "random"} if model == "r2plus1d_18" else {}
        self.model, self.device = make_model(model, settings, 0).to(device).train(), device
        self.optimizer = torch.optim.SGD(self.model.parameters(), 1e-6, 0.9)

    def step(self) -> float:
        """Do one step and return its seconds, drawing the batch included."""
        began = time.perf_counter()
        clips, ef = next(self.batches)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            read = self.model(clips.to(self.device))
        nn.functional.mse_loss(read.float(), ef.to(self.device).float()).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        wait_for(self.device)
        return time.perf_counter() - began


def live_table(material: Material, source: LiveClips, blocks: int, device: torch.device) -> Table:
    """Train beside a generator process, and beside the same process standing still.

    Args:
        material: the videos in all forms.
        source: has its generator process on ``device``; closed at the end.
        blocks: pairs of blocks.
        device: to train on.
    """
    gpu = device.type == "cuda"
    model, batch, length, period = ("r2plus1d_18", 20, 32, 2) if gpu else ("tiny", 16, 16, 4)
    where = torch.cuda.get_device_name(device) if gpu else "the CPU"
    how = HOW.format(where=where, model=model, batch=batch)
    with source:
        timed = Timed(source)
        base = DecodedEcho(
            material.root,
            "train",
            "EF",
            memory_mb=4000,
            length=length,
            period=period,
            pad=PAD,
            mean=MEAN,
            std=STD,
        )
        for place in range(len(base)):
            base[place]  # decodes it
        data = SyntheticAugment(base, timed, p=0.5, fps=FPS)
        if not source.ready(timeout=PATIENCE):
            why = f"the generator process made no clip: {source.stats()['cause'] or 'it is too slow'}"
            rows = [missing(WAITED, why, unit="%", target=WAIT, at_least=False)]
        else:
            rows = rows_of(watch(Training(data, model, device, batch), timed, blocks), data.stats())
    if not gpu:
        rows.append(missing("the same on a GPU", "no GPU here" if not torch.cuda.is_available() else "device is cpu"))
    return Table(name="live", title="training beside LiveClips", how=how, rows=rows)


def watch(training: Training, timed: Timed, blocks: int) -> Steps:
    """Train in blocks of steps beside the generator process, running and standing still in turns.

    Raises:
        EchoAugmentError: the process has ended.
    """
    seen = Steps()
    pid = timed.source.pid
    for _ in range(3):
        training.step()
    try:
        for _ in follow(range(blocks), "live", unit="block"):
            made, began = timed.source.stats()["made"], time.perf_counter()
            for _ in range(BLOCK):
                timed.seconds = 0.0
                took = training.step()
                seen.beside.append(took)
                seen.waits.append(100 * timed.seconds / took)
            seen.running += time.perf_counter() - began
            seen.made += timed.source.stats()["made"] - made
            stand_still(pid)
            seen.alone += [training.step() for _ in range(BLOCK)]
            os.kill(pid, signal.SIGCONT)
    except (ProcessLookupError, ChildProcessError):
        raise EchoAugmentError(f"the generator process has ended: {timed.source.stats()['cause']}") from None
    finally:
        if hasattr(signal, "SIGCONT"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    return seen


def stand_still(pid: int) -> None:
    """Stop a child process, and wait until it has stopped or ended."""
    if not hasattr(signal, "SIGSTOP") or not hasattr(os, "waitid"):
        raise EchoAugmentError("this system cannot halt a process, which the figure needs", "Measure on Linux or macOS")
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def rows_of(seen: Steps, counts: dict[str, int]) -> list[Row]:
    """Return the figures of the table."""
    alone, beside = (np.array(part).reshape(-1, BLOCK).mean(1) for part in (seen.alone, seen.beside))
    clips = {name: counts[name] for name in ("real", "fresh", "fallback")}
    served = ", ".join(f"{count} {name}" for name, count in clips.items())
    return [
        Row(
            what=WAITED,
            found=Spread.of(seen.waits),
            unit="%",
            target=WAIT,
            at_least=False,
            detail=f"mean {number(float(np.mean(seen.waits)))} %; items served: {served}",
        ),
        Row(
            what="a training step beside the running generator, against the generator standing still",
            found=Spread.of(beside / alone),
            detail=f"{against(beside, alone)} a step",
        ),
        Row(
            what="fresh clips beside the running training",
            found=Spread.exact(seen.made / seen.running),
            unit="clips/s",
            detail=f"{seen.made} clips in {duration(seen.running)}",
        ),
    ]
