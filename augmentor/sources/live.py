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

from .generator_process import FAILED, STOPPED, Generate, Status, run
from .ring import MAX_REUSE, ClipRing

POLL = 0.002  # seconds between looks at an empty ring


class LiveClips:
    """A process that generates while training runs, and a ring of its newest clips as a source.

    The process owns the device; the ring lies in shared memory, so DataLoader workers of any start method read it, as
    do several DataLoaders. In DDP let each rank make its own, with its own device and its own plan seeds. Training
    never waits for it: where the ring has nothing left to serve, the item falls back to the real one (`MixedClips`: to
    a cached clip), which ``SyntheticAugment.stats()`` counts. If the process dies, a warning names the cause and
    training goes on. It ends with ``close()``, with the ``with`` block, and with the parent process, however that ends.

    Not for runs that must be repeatable to the bit, because which clip is ready depends on timing; use `CachedClips`,
    for instance of the folder that ``write_to`` filled. Not for EF bins: a clip's EF is not known before it is made.

    Args:
        factory: called once in the new process; gives the generator, a callable ``(plan lines) -> clips``. It is where
            the model is loaded onto its device, for instance ``functools.partial(load_generator, folder, "cuda:0")``
            with a function at module level. A script needs its ``if __name__ == "__main__":``.
        lines: of a plan; when all are done they come again with other seeds.
        slots: clips in the ring. Memory is about ``2 * slots * T * H * W`` bytes (`nbytes`).
        shape: ``(T, H, W)`` of the clips; T is the largest.
        batch: lines given to the generator at a time.
        max_reuse: times each clip is served at most, 1 to 255.
        on_empty: ``"real"`` falls back to the real item; ``"wait"`` waits while the generator lives.
        strict: raise in the training process when the generator has died, instead of falling back.
        write_to: a cache folder that every clip is written to as well, or None.
        start_method: of the process; ``"fork"`` is not possible once CUDA is in use.
        nice: politeness of the process towards the training on a CPU, 0 to 19.

    Raises:
        EchoAugmentError: a value out of its range, an empty plan, or made inside a DataLoader worker.
    """

    def __init__(
        self,
        factory: Callable[[], Generate],
        lines: Sequence[PlanLine],
        *,
        slots: int = 64,
        shape: tuple[int, int, int] = (16, 112, 112),
        batch: int = 4,
        max_reuse: int = 4,
        on_empty: Literal["real", "wait"] = "real",
        strict: bool = False,
        write_to: str | Path | None = None,
        start_method: Literal["spawn", "forkserver", "fork"] = "spawn",
        nice: int = 5,
    ) -> None:
        for name, value, high in (
            ("slots", slots, 10**6),
            ("batch", batch, 10**6),
            ("max_reuse", max_reuse, MAX_REUSE),
        ):
            if not 1 <= value <= high:
                raise EchoAugmentError(f"{name} must be in [1, {high}], got {value!r}")
        if on_empty not in ("real", "wait"):
            raise EchoAugmentError(
                f'on_empty must be "real" or "wait", got {on_empty!r}', "MixedClips has cached clips"
            )
        if not lines:
            raise EchoAugmentError("the plan of LiveClips has no lines")
        if torch.utils.data.get_worker_info() is not None:
            raise EchoAugmentError(
                "LiveClips was made inside a DataLoader worker, which must not own a device",
                "Make it in the main process and hand it to SyntheticAugment there",
            )
        self.on_empty, self.strict = on_empty, strict
        self.donors = frozenset({name for line in lines for name in (line.motion_donor, line.appearance_donor)} - {""})
        self._ring, self._status = ClipRing(slots, shape, max_reuse), Status()
        context: Any = torch.multiprocessing.get_context(start_method)
        folder = None if write_to is None else Path(write_to)
        arguments = (factory, tuple(lines), self._ring, self._status, batch, folder, nice)
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
        """Clips made so far, clips that can be served now, whether the process runs, and why not."""
        state = ("starting", "running", "stopped", "failed")[self._status.state]
        status = self._status
        return {"made": status.made, "available": self._ring.available(), "state": state, "cause": status.cause}

    def close(self) -> None:
        """End the process; clips written to a cache are sealed. Clips in the ring can still be served."""
        self._finalizer()

    def __enter__(self) -> "LiveClips":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**{key: value for key, value in self.__dict__.items() if key != "_finalizer"}, "_finalizer": _nothing}


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
