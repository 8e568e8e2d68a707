"""A source of clips fresh from the generator, which runs in a process of its own."""

import multiprocessing.connection
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt
import torch

from echo_augment.cache import EchoClip, PlanLine
from echo_augment.cache.arguments import check_choice, check_seed, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import ClipGate, Gate, as_gates, image_gate
from echo_augment.cache.generator import Generator

from ..devices import in_worker, process_rank
from .process import FAILED, STOPPED, Status, run
from .recipe import GeneratorRecipe, Pairing, clip_shape, donor_rows, portable_pipeline
from .ring import MAX_REUSE, ClipRing

POLL = 0.002  # seconds between looks at an empty ring


class LiveStats(TypedDict):
    """What the generator process has done.

    Attributes:
        made: clips made.
        skipped: plan lines skipped: a donor that cannot be read, a clip that a gate rejected.
        available: clips that can be served now.
        state: ``"starting"``, ``"running"``, ``"stopped"`` or ``"failed"``.
        cause: why it failed; empty if it did not.
    """

    made: int
    skipped: int
    available: int
    state: str
    cause: str


class LiveClips:
    """A source of fresh clips: a process makes them while training runs, and a ring holds the newest.

    ``LiveClips("bundled", "/data/EchoNet-Dynamic", device="cuda:1")`` makes clips of the folder's TRAIN videos. Pairs
    of motion donor and appearance donor are planned from ``seed``, one plan after the other without end.

    The process owns the device. The ring is in shared memory, so DataLoader workers of any start method can read it,
    and several DataLoaders can. Training never waits: if the ring has nothing left to serve, the item falls back to the
    real one (with `MixedClips` to a cached clip), which ``SyntheticAugment.stats()`` counts. If the process dies, a
    warning names the cause and training goes on. The process ends with ``close()``, with the ``with`` block, and with
    the parent process, however that ends. A donor that cannot be read and a clip that a gate rejects are skipped and
    counted in ``stats()``; the process gives up after 64 of them in a row.

    **Distributed training.** Either each rank makes its own source: ``device="auto"`` then takes the rank's GPU, and
    ranks plan different clips. Or one process makes the source and passes it to the ranks that it starts
    (``torch.multiprocessing``), which share the ring.

    Not for runs that must be repeatable to the bit, because which clip is ready depends on timing; use `CachedClips`,
    for instance with the folder that ``write_to`` filled. Not for EF bins: a clip's EF is unknown before it is made.

    Args:
        pipeline: ``"bundled"``, the folder of a trained generator, a Hub id (all loaded in the new process), or an
            ``MCDMPipeline`` (the new process gets a copy). Or a factory: a function at module level, so that it
            pickles, that the new process calls once to get a `echo_augment.cache.generator.Generator`.
        donors: a dataset folder, whose TRAIN videos are taken; an `EchoNetDynamic` of TRAIN, or a ``Subset`` of one;
            or a dict of `VideoInfo` by name. For a factory, the lines of a plan; after the last line they start again
            with other seeds.
        device: device of the generator: ``"auto"`` (the fastest), ``"cpu"``, ``"cuda:0"``. A factory chooses its own.
        steps: number of sampler steps; None takes the generator's own number.
        sampler: ``"ddim"``, ``"dpm"`` or ``"ddpm"``; None for the generator's own.
        motion_donors: names of donors that give motion and label; None takes every labelled one.
        seed: seed of the plans, at least 0.
        balance: ``"natural"``: EF spread as the donors' is; ``"uniform"``: every stratum of EF equally often.
        slots: number of clips in the ring. It takes about ``2 * slots * T * H * W`` bytes (`nbytes`).
        shape: ``(T, H, W)`` of the longest clip. None takes the pipeline's; for a factory (16, 112, 112).
        batch: number of clips made at a time.
        max_reuse: how often each clip may be served, 1 to 255.
        on_empty: ``"real"`` falls back to the real item; ``"wait"`` waits while the generator runs. For ``"cached"``
            see `MixedClips`.
        strict: raise in the training process if the generator has died, instead of falling back.
        gates: what each clip must pass, as in `echo_augment.cache.fill`; gates must pickle.
        write_to: cache folder that every clip is written to as well, or None. Clips in it are not made again.
        start_method: how the process is started; ``"fork"`` is impossible once CUDA is in use, the others need ``if
            __name__ == "__main__":`` in a script.
        nice: niceness of the process, 0 to 19, in favour of the training on the same CPU.

    Raises:
        EchoAugmentError: a value out of its range, no donors or plan lines, a donor of VAL or TEST, no such pipeline,
            or made inside a DataLoader worker.

    Example:
        >>> black = np.zeros((4, 8, 8), np.uint8)
        >>> def make_generator():
        ...     return lambda lines: [EchoClip(line.clip_id, black, fps=25) for line in lines]
        >>> lines = [PlanLine("a", "motion donor", "appearance donor", seed=0)]
        >>> with LiveClips(make_generator, lines, shape=black.shape, gates=(), start_method="fork") as live:
        ...     clip = live[0]
        >>> clip.clip_id, clip.frames.shape
        ('a', (4, 8, 8))
    """

    def __init__(
        self,
        pipeline: Any,
        donors: Any,
        *,
        device: str = "auto",
        steps: int | None = None,
        sampler: Literal["ddim", "dpm", "ddpm"] | None = None,
        motion_donors: Sequence[str] | None = None,
        seed: int = 0,
        balance: Literal["natural", "uniform"] = "natural",
        slots: int = 64,
        shape: tuple[int, int, int] | None = None,
        batch: int = 4,
        max_reuse: int = 4,
        on_empty: Literal["real", "wait"] = "real",
        strict: bool = False,
        gates: Sequence[Gate | ClipGate] = (image_gate,),
        write_to: str | Path | None = None,
        start_method: Literal["spawn", "forkserver", "fork"] = "spawn",
        nice: int = 5,
    ) -> None:
        if in_worker():
            raise EchoAugmentError(
                "LiveClips was made inside a DataLoader worker, which must not own a device",
                "Make it in the main process and hand it to SyntheticAugment there",
            )
        check_whole("slots", slots, 1, 10**6)
        check_whole("batch", batch, 1, 10**6)
        check_whole("max_reuse", max_reuse, 1, MAX_REUSE)
        cached = "MixedClips(live, CachedClips(folder), fresh=1.0) falls back to cached clips"
        check_choice("on_empty", on_empty, ("real", "wait"), remedy=cached)
        seed = check_seed(seed)
        check_choice("start_method", start_method, torch.multiprocessing.get_all_start_methods())
        if start_method == "fork" and torch.cuda.is_initialized():
            raise EchoAugmentError(
                'start_method="fork" is not possible: this process uses CUDA already', 'Take start_method="spawn"'
            )
        factory: Callable[[], Generator]
        lines: tuple[PlanLine, ...] | Pairing
        if callable(pipeline) and not hasattr(pipeline, "components"):
            factory, lines, self.donor_videos = pipeline, _plan_lines(donors), {}
            shape = shape or (16, 112, 112)
            names = {name for line in lines for name in (line.motion_donor, line.appearance_donor)}
        else:
            moved = portable_pipeline(pipeline)
            rows, root, tables = donor_rows(donors)
            unknown = sorted(set(motion_donors or ()) - rows.keys())
            if unknown:
                raise EchoAugmentError(
                    f"motion donor {unknown[0]!r} is not among the {len(rows)} donors",
                    "Name videos of donors= in motion_donors=, or leave it out: every labelled one is taken then",
                )
            factory = GeneratorRecipe(
                pipeline=moved,
                rows={} if root is not None else rows,
                root=root,
                tables=tables,
                device=device,
                motion_donors=motion_donors,
                steps=steps,
                sampler=sampler,
                batch=batch,
            )
            lines, self.donor_videos, names = Pairing(seed, process_rank(), balance), rows, set(rows)
            shape = shape or clip_shape(moved)
        self.on_empty, self.strict = on_empty, strict
        self.donors = frozenset(names - {""})
        self._ring, self._status = ClipRing(slots, shape, max_reuse), Status()
        context: Any = torch.multiprocessing.get_context(start_method)
        folder = None if write_to is None else Path(write_to)
        arguments = (factory, lines, self._ring, self._status, batch, as_gates(gates), folder, nice)
        process = context.Process(target=run, args=arguments, daemon=True, name="LiveClips")
        process.start()
        self._finalizer = weakref.finalize(
            self, _shut, os.getpid(), process, self._status, 0.2 if folder is None else 10.0
        )
        self.pid: int = process.pid
        threading.Thread(target=_watch, args=(process, self._status), daemon=True).start()

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """Empty, because EF values are unknown before clips are made."""
        return np.empty(0)

    @property
    def nbytes(self) -> int:
        """Bytes of shared memory that the ring takes."""
        return self._ring.nbytes

    def __len__(self) -> int:
        return len(self._ring)

    def __getitem__(self, index: int) -> EchoClip:
        """Wait for the next clip and return it; the index does not matter.

        Raises:
            RuntimeError: the generator has ended and the ring is empty.
        """
        clip = self.wait(index)
        if clip is None:
            raise RuntimeError(f"the generator process has ended: {self._status.cause or 'it was closed'}")
        return clip

    def take(self, index: int, key: tuple[int, int, int]) -> tuple[EchoClip | None, str]:
        """Return a fresh clip, or None for the real item; and how it is counted."""
        clip = self.poll(key[-1]) if self.on_empty == "real" else self.wait(key[-1])
        return clip, "fallback" if clip is None else "fresh"

    def poll(self, turn: int = 0) -> EchoClip | None:
        """Return a clip, or None if no clip is ready.

        Raises:
            RuntimeError: with ``strict``, the generator has died.
        """
        if self.strict and self._status.state == FAILED:
            raise RuntimeError(f"the generator process of LiveClips died: {self._status.cause}")
        return self._ring.take(turn)

    def wait(self, turn: int = 0) -> EchoClip | None:
        """Wait for a clip while the generator runs, and return it; None if it has ended.

        Raises:
            RuntimeError: as `poll`.
        """
        while (clip := self.poll(turn)) is None and self._status.state not in (FAILED, STOPPED):
            time.sleep(POLL)
        return clip

    def ready(self, count: int = 1, timeout: float = 120.0) -> bool:
        """Wait up to ``timeout`` seconds for ``count`` clips while the generator runs; return if they are ready."""
        end = time.monotonic() + timeout
        while self._ring.available() < count and time.monotonic() < end:
            if self._status.state in (FAILED, STOPPED):
                break
            time.sleep(POLL)
        return self._ring.available() >= count

    def stats(self) -> LiveStats:
        """Return counts of clips so far, and whether the process runs."""
        status = self._status
        return LiveStats(
            made=status.made,
            skipped=status.skipped,
            available=self._ring.available(),
            state=("starting", "running", "stopped", "failed")[status.state],
            cause=status.cause,
        )

    def close(self) -> None:
        """End the process and seal what it wrote to a cache. Clips in the ring can still be served."""
        self._finalizer()

    def __enter__(self) -> "LiveClips":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_finalizer": _nothing, "donor_videos": {}}


def _plan_lines(donors: Any) -> tuple[PlanLine, ...]:
    lines = tuple(donors) if isinstance(donors, Sequence) else ()
    if not lines or not all(isinstance(line, PlanLine) for line in lines):
        raise EchoAugmentError(
            f"the donors of a factory must be the lines of a plan, at least one, got {type(donors).__name__}",
            "Make them with echo_augment.cache.make_plan(...).lines",
        )
    return lines


def _nothing() -> None:
    """Do nothing: a copy of the source in another process has no process to end."""


def _shut(owner: int, process: Any, status: Status, grace: float) -> None:
    if os.getpid() != owner:  # a forked worker's copy
        return
    status.stop()
    process.join(grace)
    if process.is_alive():
        process.terminate()
        process.join(5)
    if process.is_alive():
        process.kill()
        process.join()


def _watch(process: Any, status: Status) -> None:
    multiprocessing.connection.wait([process.sentinel])
    if status.state == STOPPED or status.stop_wanted:
        status.enter(STOPPED)
        return
    if status.state != FAILED:
        process.join(1)
        status.fail(f"exit code {process.exitcode}")
    warnings.warn(
        f"the generator process of LiveClips died ({status.cause}); training goes on without fresh clips",
        RuntimeWarning,
        stacklevel=1,
    )
