"""A ring of clips in shared memory: one process writes, any number read, nobody waits for a lock."""

import json
import time
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from echo_augment.cache import EchoClip, Provenance
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.limits import check_shared_memory

from ..workers import ProcessRows

READERS = 128  # processes alive at once that read one ring
TEXT = 4096  # bytes of id and provenance
NUMBERS = ("fps", "ef", "ed_frame", "es_frame", "confidence", "masked", "frames")
GENERATION, CHECKSUM, LENGTH = range(3)
MAX_REUSE = 255
RingState = tuple[tuple[int, int, int], int, dict[str, torch.Tensor], ProcessRows, npt.NDArray[np.float64]]
GRACE = 0.02  # seconds before a used-up slot is written again, so that its last readers can finish


class ClipRing:
    """Slots for clips in torch shared tensors, which have no name that could outlive the processes.

    A slot's generation number is odd while it is written and grows by two with each clip, and a checksum covers the
    clip; so a reader notices a slot that changed while it was read, and takes another. A reader first announces its use
    of a slot in a table cell of its own and then counts all uses: no clip is served more often than ``max_reuse``,
    whoever reads at the same time. (A clip may be served less often, if readers meet or one is slow.)

    Args:
        slots: number of clips held.
        shape: ``(T, H, W)`` of the largest clip.
        max_reuse: how often each clip may be served, 1 to 255.

    Raises:
        EchoAugmentError: there is not so much shared memory.
    """

    def __init__(self, slots: int, shape: tuple[int, int, int], max_reuse: int) -> None:
        self.shape, self.max_reuse = shape, max_reuse
        need = slots * (2 * int(np.prod(shape)) + 8 * len(NUMBERS) + TEXT + 8 * (3 + READERS))
        check_shared_memory(f"a ring of {slots} clips of {'x'.join(map(str, shape))} (slots=, shape=)", need)
        self._tensors = {
            "frames": torch.zeros((slots, *shape), dtype=torch.uint8),
            "masks": torch.zeros((slots, *shape), dtype=torch.uint8),
            "numbers": torch.zeros((slots, len(NUMBERS)), dtype=torch.float64),
            "text": torch.zeros((slots, TEXT), dtype=torch.uint8),
            "head": torch.zeros((slots, 3), dtype=torch.int64),
            "cells": torch.zeros((READERS, slots), dtype=torch.int64),  # generation << 8 | uses, by reader
        }
        self._rows = ProcessRows(READERS)
        self._spent = np.full(slots, np.inf)  # since when the writer has seen each slot used up
        self._view()

    def _view(self) -> None:
        for tensor in self._tensors.values():
            if not tensor.is_shared():
                tensor.share_memory_()
        views: dict[str, npt.NDArray[Any]] = {name: tensor.numpy() for name, tensor in self._tensors.items()}
        self._frames, self._masks, self._text = views["frames"], views["masks"], views["text"]
        self._numbers, self._head, self._cells = views["numbers"], views["head"], views["cells"]

    def __getstate__(self) -> RingState:
        return self.shape, self.max_reuse, self._tensors, self._rows, self._spent

    def __setstate__(self, state: RingState) -> None:
        self.shape, self.max_reuse, self._tensors, self._rows, self._spent = state
        self._view()

    def __len__(self) -> int:
        return len(self._head)

    @property
    def nbytes(self) -> int:
        """Bytes of shared memory that the ring takes."""
        return sum(tensor.nbytes for tensor in self._tensors.values())

    def available(self) -> int:
        """Return how many slots hold a clip that may still be served."""
        generation = self._head[:, GENERATION].copy()
        return int(np.count_nonzero(self._ready(generation, self._uses(generation))))

    def put(self, clip: EchoClip) -> bool:
        """Write a clip into a free or used-up slot; return False if there is no such slot. For one process only.

        Raises:
            EchoAugmentError: the clip or its provenance is larger than a slot.
        """
        frames, height, width = clip.frames.shape
        if frames > self.shape[0] or (height, width) != self.shape[1:]:
            raise EchoAugmentError(
                f"clip {clip.clip_id!r} is {clip.frames.shape}, the ring holds {self.shape}", "Give shape=(T, H, W)"
            )
        origin = None if clip.provenance is None else clip.provenance.to_json()
        text = np.frombuffer(json.dumps([clip.clip_id, origin]).encode(), np.uint8)
        if len(text) > TEXT:
            raise EchoAugmentError(f"clip {clip.clip_id!r}: its provenance has {len(text)} bytes, at most {TEXT}")
        generation = self._head[:, GENERATION].copy()
        now = time.monotonic()
        self._spent = np.where(self._uses(generation) >= self.max_reuse, np.minimum(self._spent, now), np.inf)
        free = np.flatnonzero((generation == 0) | (now - self._spent >= GRACE))
        if not len(free):
            return False
        slot = int(free[np.argmin(generation[free])])
        self._spent[slot] = np.inf
        new = int(generation[slot]) + 2
        self._head[slot, GENERATION] = new - 1
        self._frames[slot, :frames] = clip.frames
        masked = clip.masks is not None
        if clip.masks is not None:
            self._masks[slot, :frames] = clip.masks
        self._numbers[slot] = (clip.fps, clip.ef, clip.ed_frame, clip.es_frame, clip.confidence, masked, frames)
        self._text[slot, : len(text)] = text
        self._head[slot, CHECKSUM], self._head[slot, LENGTH] = (
            self._checksum(slot, frames, masked, len(text)),
            len(text),
        )
        self._head[slot, GENERATION] = new
        return True

    def take(self, turn: int = 0) -> EchoClip | None:
        """Return one of the clips served least so far; None if all have been served ``max_reuse`` times.

        Args:
            turn: chooses among these clips; readers with different turns seldom meet.
        """
        own = self._rows.own()
        for attempt in range(len(self)):
            generation = self._head[:, GENERATION].copy()
            uses = self._uses(generation)
            ready = self._ready(generation, uses)
            if not ready.any():
                return None
            slots = np.flatnonzero(ready & (uses == uses[ready].min()))
            slot = int(slots[(turn + attempt) % len(slots)])
            now, cell = int(generation[slot]), int(self._cells[own, slot])
            mine = cell & MAX_REUSE if cell >> 8 == now else 0
            self._cells[own, slot] = now << 8 | (mine + 1)
            time.sleep(0)  # a system call puts the announcement before the count on every processor
            if self._uses(generation)[slot] > self.max_reuse:
                self._cells[own, slot] = now << 8 | mine
                continue
            clip = self._read(slot, now)
            if clip is not None:
                return clip
        return None

    def _uses(self, generation: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        cells = self._cells.copy()
        uses: npt.NDArray[np.int64] = np.where(cells >> 8 == generation, cells & MAX_REUSE, 0).sum(0)
        return uses

    def _ready(self, generation: npt.NDArray[np.int64], uses: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        ready: npt.NDArray[np.bool_] = (generation > 0) & (generation % 2 == 0) & (uses < self.max_reuse)
        return ready

    def _checksum(self, slot: int, frames: int, masked: bool, length: int) -> int:
        value = zlib.crc32(self._frames[slot, :frames].tobytes())
        if masked:
            value = zlib.crc32(self._masks[slot, :frames].tobytes(), value)
        value = zlib.crc32(self._numbers[slot].tobytes(), value)
        return zlib.crc32(self._text[slot, :length].tobytes(), value)

    def _read(self, slot: int, generation: int) -> EchoClip | None:
        values = dict(zip(NUMBERS, self._numbers[slot].tolist(), strict=True))
        count, masked = int(values["frames"]), bool(values["masked"])
        frames = self._frames[slot, :count].copy()
        masks = self._masks[slot, :count].astype(bool) if masked else None
        length = int(self._head[slot, LENGTH])
        text = self._text[slot, :length].tobytes()
        expected = int(self._head[slot, CHECKSUM])
        if self._head[slot, GENERATION] != generation:
            return None
        found = zlib.crc32(frames.tobytes())
        if masks is not None:
            found = zlib.crc32(masks.tobytes(), found)
        found = zlib.crc32(text, zlib.crc32(np.array(list(values.values())).tobytes(), found))
        if found != expected:
            return None
        name, origin = json.loads(text)
        return EchoClip(
            clip_id=name,
            frames=frames,
            fps=values["fps"],
            ef=values["ef"],
            ed_frame=int(values["ed_frame"]),
            es_frame=int(values["es_frame"]),
            confidence=values["confidence"],
            masks=masks,
            provenance=None if origin is None else Provenance.from_json(origin),
        )
