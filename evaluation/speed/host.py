"""Rows of the table ``generator``: what the host does for a clip, next to the clip's arithmetic on a GPU."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from echo_augment.augmentor.data import VideoInfo
from echo_augment.augmentor.mcdm.clip_generator import ClipGenerator
from echo_augment.augmentor.mcdm.donors import read_heart
from echo_augment.augmentor.mcdm.pipeline import MCDMOutput, MCDMPipeline
from echo_augment.cache import EchoClip, PlanLine, StoreWriter, make_plan
from echo_augment.cache.gates import image_gate

from .rows import Row, number
from .timing import Seconds, Spread
from .training import Calls, core_seconds

LAUNCH = 6e-6  # seconds of a core to call a GPU's kernel from Python, about
TERAFLOPS = 400.0  # about what an H100 or H200 reaches in bf16 in such networks
MOST = {"tiny": 10.0}  # milliseconds of the host a clip, by preset
MOST_OF_OTHERS = 25.0


class Finished:
    """A pipeline whose clips are made already: what is left is what the host does around it.

    Args:
        pipeline: has everything else.
    """

    def __init__(self, pipeline: MCDMPipeline) -> None:
        self._pipeline = pipeline
        self._made: MCDMOutput | None = None
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    def __call__(self, *arguments: Any, **options: Any) -> MCDMOutput:
        """Return the clips of the first call, whose calls of operators are counted."""
        if self._made is None:
            with Calls() as calls:
                self._made = cast(MCDMOutput, self._pipeline(*arguments, **options))
            self.calls = calls.count
        return self._made


def host_rows(
    pipeline: MCDMPipeline,
    donors: Sequence[VideoInfo],
    folder: Path,
    *,
    steps: int,
    batch: int,
    rounds: int,
    work: float,
) -> list[Row]:
    """Time what a core does for a clip, and hold it against the arithmetic of the clip on a GPU.

    Args:
        pipeline: the generator, on any device.
        donors: videos to make clips of.
        folder: for shards; removed by the caller.
        steps: of the sampler.
        batch: clips made at a time.
        rounds: batches that are timed.
        work: floating-point operations of a clip.
    """
    finished = Finished(pipeline)
    rows = {row.name: row for row in donors}
    generator = ClipGenerator(finished, rows, steps=steps, batch=batch)  # type: ignore[arg-type]
    few = sorted(generator.motion_donors)[:2]
    plan = make_plan({name: generator.motion_donors[name] for name in few}, few, batch, sampler=generator.sampler)
    lines = plan.lines[:batch]
    clips = generator(lines)
    around = core_seconds(lambda turn: generator(lines), rounds) / batch
    numbers = itertools.count()

    def keep(turn: int) -> None:
        with StoreWriter(folder / f"host-{next(numbers)}", fingerprint=generator.fingerprint) as writer:
            store(writer, lines, clips)

    kept = core_seconds(keep, rounds) / len(clips)
    rate, size = float(pipeline.config["rate"]), int(pipeline.config["size"])
    reading = core_seconds(lambda turn: read_heart(donors[turn % len(donors)], rate=rate, size=size), rounds)
    launches = finished.calls * LAUNCH / batch
    return rows_of(str(pipeline.config["preset"]), around, kept, reading, launches, work)


def store(writer: StoreWriter, lines: Sequence[PlanLine], clips: Sequence[EchoClip]) -> None:
    """Judge clips as every fill does, and write a shard of them."""
    for line, clip in zip(lines, clips, strict=True):
        image_gate(line, clip)
        writer.add(clip)
    writer.seal()


def rows_of(preset: str, around: Seconds, kept: Seconds, reading: Seconds, launches: float, work: float) -> list[Row]:
    """Return the rows.

    Args:
        preset: of the generator.
        around: seconds of a core a clip for what stands around the pipeline, ``(rounds,)``.
        kept: to judge and write a clip, likewise.
        reading: to decode a donor and to find its ED frame, likewise.
        launches: seconds a clip to call the device's kernels.
        work: floating-point operations of a clip.
    """
    host = around + kept + launches
    arithmetic = work / TERAFLOPS * 1e-12
    share = 100 * arithmetic / np.maximum(host, arithmetic)
    parts = [1e3 * float(np.median(part)) for part in (around, kept)] + [1e3 * launches]
    return [
        Row(
            what="host, a clip whose donors are read",
            found=Spread.of(host * 1e3),
            unit="ms",
            target=MOST.get(preset, MOST_OF_OTHERS),
            at_least=False,
            detail="a core's time: {} ms around the pipeline, {} ms to judge and write, {} ms to call a GPU's kernels, "
            "at {} µs each".format(*map(number, parts), number(LAUNCH * 1e6)),
        ),
        Row(
            what="host, a donor that is new, by threads beside it",
            found=Spread.of(reading * 1e3),
            unit="ms",
            detail="decoding and the search for ED; a clip has two donors, each read once a fill",
        ),
        Row(
            what="arithmetic of a clip on a GPU",
            found=Spread.exact(arithmetic * 1e3),
            unit="ms",
            detail=f"{work * 1e-9:.0f} GFLOP at {number(TERAFLOPS)} TFLOP/s, about an H100's or H200's in bf16",
        ),
        Row(
            what="share of the card that the host allows one process",
            found=Spread.of(share),
            unit="%",
            detail="arithmetic over the longer of both",
        ),
    ]
