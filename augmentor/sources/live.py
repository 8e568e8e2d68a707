"""Clips fresh from the generator."""

import multiprocessing.connection
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from echo_augment.cache import EchoClip, PlanLine
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import ClipGate, Gate, as_gates, image_gate
from echo_augment.cache.generator import Generator

from ..devices import in_worker, process_rank
from .process import FAILED, STOPPED, Status, run
from .recipe import GeneratorRecipe, Pairing, clip_shape, donor_rows, portable_pipeline
from .ring import MAX_REUSE, ClipRing

POLL = 0.002  # seconds between looks at an empty ring


class LiveClips:
    """A process that generates while training runs, and a ring of its newest clips as a source.

    ``LiveClips("bundled", "/data/EchoNet-Dynamic", device="cuda:1")`` makes clips of the folder's TRAIN videos. Which
    motion meets which look is planned from ``seed``, plan after plan, without an end.

    The process owns the device; the ring lies in shared memory, so DataLoader workers of any start method read it, as
    do several DataLoaders. Training never waits for it: where the ring has nothing left to serve, the item falls back
    to the real one (`MixedClips`: to a cached clip), which ``SyntheticAugment.stats()`` counts. If the process dies, a
    warning names the cause and training goes on. It ends with ``close()``, with the ``with`` block, and with the parent
    process, however that ends. A donor that cannot be read, or a clip that a gate rejects, is skipped and counted in
    ``stats()``; the process gives up after 64 in a row.

    **Distributed training.** Either each rank makes its own: ``device="auto"`` then takes the rank's own GPU, and ranks
    plan different clips. Or one process makes it and passes it to the ranks it starts (``torch.multiprocessing``), and
    all read the one ring.

    Not for runs that must be repeatable to the bit, because which clip is ready depends on timing; use `CachedClips`,
    for instance of the folder that ``write_to`` filled. Not for EF bins: a clip's EF is not known before it is made.

    Args:
        pipeline: ``"bundled"``, the folder of a trained generator, a Hub id (all loaded in the new process), or an
            ``MCDMPipeline`` (a copy goes there). Or a factory, called once in the new process, that makes a generator
            of any kind, a callable ``(plan lines) -> clips``; a function at module level, so that it pickles.
        donors: a dataset folder, whose TRAIN videos are taken; an `EchoNetDynamic` of TRAIN, or a ``Subset`` of one;
            or a dict of `VideoInfo` by name. For a factory the lines of a plan; when all are done they come again with
            other seeds.
        device: of the generator: ``"auto"`` (the best there is), ``"cpu"``, ``"cuda:0"``. A factory sees to its own.
        steps: of the sampler; None: the generator's own number.
        sampler: ``"ddim"`` or ``"dpm"``.
        motion_donors: names of donors that give motion and label; None takes every labelled one.
        seed: of the plans.
        balance: ``"natural"``: EF as the donors have it; ``"uniform"``: every stratum of EF equally often.
        slots: clips in the ring. Memory is about ``2 * slots * T * H * W`` bytes (`nbytes`).
        shape: ``(T, H, W)`` of the clips; T is the largest. None takes the pipeline's, for a factory (16, 112, 112).
        batch: clips generated at a time.
        max_reuse: times each clip is served at most, 1 to 255.
        on_empty: ``"real"`` falls back to the real item; ``"wait"`` waits while the generator lives. For ``"cached"``
            see `MixedClips`.
        strict: raise in the training process when the generator has died, instead of falling back.
        gates: each clip passes them or is skipped, as in `echo_augment.cache.fill`; they pickle.
        write_to: a cache folder that every clip is written to as well, or None. Clips that it holds already are not
            made again.
        start_method: of the process; ``"fork"`` is not possible once CUDA is in use. With the others a script needs
            its ``if __name__ == "__main__":``.
        nice: politeness of the process towards the training on a CPU, 0 to 19.

    Raises:
        EchoAugmentError: a value out of its range, no donors or plan lines, a donor of VAL or TEST, no pipeline there,
            or made inside a DataLoader worker.

    Example:
        >>> with LiveClips("bundled", "/data/EchoNet-Dynamic") as live:  # doctest: +SKIP
        ...     train = SyntheticAugment(base, MixedClips(live, CachedClips("cache/dynamic"), fresh=0.25))
    """

    def __init__(
        self,
        pipeline: Any,
        donors: Any,
        *,
        device: str = "auto",
        steps: int | None = None,
        sampler: Literal["ddim", "dpm"] = "ddim",
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
        _check(slots=slots, batch=batch, max_reuse=max_reuse, on_empty=on_empty)
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise EchoAugmentError(f"seed must be a whole number >= 0, got {seed!r}")
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
                raise EchoAugmentError(f"motion donor {unknown[0]!r} is not among the {len(rows)} donors")
            options: dict[str, Any] = {"steps": steps, "sampler": sampler, "batch": batch}
            factory = GeneratorRecipe(
                pipeline=moved,
                rows={} if root is not None else rows,
                root=root,
                tables=tables,
                device=device,
                motion_donors=motion_donors,
                **options,
            )
            lines, self.donor_videos, names = Pairing(int(seed), process_rank(), balance), rows, set(rows)
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
        """Empty: EF values are known only once clips are made."""
        return np.empty(0)

    @property
    def nbytes(self) -> int:
        """Bytes of shared memory."""
        return self._ring.nbytes

    def __len__(self) -> int:
        return len(self._ring)

    def __getitem__(self, index: int) -> EchoClip:
        """The next clip, whatever the index; waits for it.

        Raises:
            RuntimeError: the generator has ended and the ring is empty.
        """
        clip = self.wait(index)
        if clip is None:
            raise RuntimeError(f"the generator process has ended: {self._status.cause or 'it was closed'}")
        return clip

    def take(self, index: int, key: tuple[int, int, int]) -> tuple[EchoClip | None, str]:
        """A fresh clip, or None for the real item, and how it is counted."""
        clip = self.poll(key[-1]) if self.on_empty == "real" else self.wait(key[-1])
        return clip, "fallback" if clip is None else "fresh"

    def poll(self, turn: int = 0) -> EchoClip | None:
        """A clip if there is one.

        Raises:
            RuntimeError: with ``strict``, the generator has died.
        """
        if self.strict and self._status.state == FAILED:
            raise RuntimeError(f"the generator process of LiveClips died: {self._status.cause}")
        return self._ring.take(turn)

    def wait(self, turn: int = 0) -> EchoClip | None:
        """A clip, waiting for it while the generator lives; None where it has ended. Raises as `poll`."""
        while (clip := self.poll(turn)) is None and self._status.state not in (FAILED, STOPPED):
            time.sleep(POLL)
        return clip

    def ready(self, count: int = 1, timeout: float = 120.0) -> bool:
        """Wait until ``count`` clips can be served, the generator has ended, or ``timeout`` seconds are over."""
        end = time.monotonic() + timeout
        while self._ring.available() < count and time.monotonic() < end:
            if self._status.state in (FAILED, STOPPED):
                break
            time.sleep(POLL)
        return self._ring.available() >= count

    def stats(self) -> dict[str, Any]:
        """Clips made and plan lines skipped so far, clips that can be served now, whether it runs, and why not."""
        status = self._status
        state = ("starting", "running", "stopped", "failed")[status.state]
        counts = {"made": status.made, "skipped": status.skipped, "available": self._ring.available()}
        return {**counts, "state": state, "cause": status.cause}

    def close(self) -> None:
        """End the process; clips written to a cache are sealed. Clips in the ring can still be served."""
        self._finalizer()

    def __enter__(self) -> "LiveClips":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_finalizer": _nothing, "donor_videos": {}}


def _check(*, slots: int, batch: int, max_reuse: int, on_empty: str) -> None:
    for name, value, high in (("slots", slots, 10**6), ("batch", batch, 10**6), ("max_reuse", max_reuse, MAX_REUSE)):
        if not 1 <= value <= high:
            raise EchoAugmentError(f"{name} must be in [1, {high}], got {value!r}")
    if on_empty not in ("real", "wait"):
        raise EchoAugmentError(
            f'on_empty must be "real" or "wait", got {on_empty!r}',
            "MixedClips(live, CachedClips(folder), fresh=1.0) falls back to cached clips",
        )


def _plan_lines(donors: Any) -> tuple[PlanLine, ...]:
    lines = tuple(donors) if isinstance(donors, Sequence) else ()
    if not lines or not all(isinstance(line, PlanLine) for line in lines):
        raise EchoAugmentError(
            f"the donors of a factory must be the lines of a plan, at least one, got {type(donors).__name__}",
            "Make them with echo_augment.cache.make_plan(...).lines",
        )
    return lines


def _nothing() -> None:
    """A copy in another process has no process to end."""


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
