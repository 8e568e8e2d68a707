"""Counts of what was served, summed over worker processes without a lock."""

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

KINDS = ("real", "cached", "fresh", "fallback")
ROWS = 512  # processes alive at once that serve items of one dataset
PID, EPOCH, FIRST = 0, 1, 2


class ServedCounts:
    """A table in torch shared memory with one row per process, each written by its owner alone.

    A lock would tie the dataset to one start method (a ``fork`` lock cannot travel to a ``spawn`` worker), and
    ``tensor += 1`` by two processes loses counts. So each process claims a row by writing its id into it, and takes
    over the row of a process that has ended, counts included.
    """

    def __init__(self) -> None:
        self._table = torch.zeros((ROWS, FIRST + len(KINDS)), dtype=torch.int64).share_memory_()
        self._row: npt.NDArray[np.int64] | None = None
        self._owner = -1

    def add(self, kind: str, epoch: int) -> None:
        """Count one item of ``kind`` (one of ``KINDS``) for ``epoch``."""
        row = self._row
        if row is None or self._owner != os.getpid() or row[PID] != self._owner:
            row = self._claim()
        if row[EPOCH] != epoch:
            row[FIRST:] = 0
            row[EPOCH] = epoch
        row[FIRST + KINDS.index(kind)] += 1

    def total(self, epoch: int) -> dict[str, int]:
        """How many items of each kind all processes have made in ``epoch`` since it was last set."""
        table = self._table.numpy()
        rows = table[table[:, EPOCH] == epoch]
        return {kind: int(rows[:, FIRST + column].sum()) for column, kind in enumerate(KINDS)}

    def clear(self) -> None:
        """Forget all counts; rows stay with their owners."""
        self._table[:, FIRST:] = 0

    def _claim(self) -> npt.NDArray[np.int64]:
        own = os.getpid()
        table = self._table.numpy()
        info = torch.utils.data.get_worker_info()
        first = 0 if info is None else info.id + 1
        for offset in range(ROWS):
            row = table[(first + offset) % ROWS]
            if row[PID] in (0, own) or not _alive(int(row[PID])):
                row[PID] = own
                if row[PID] == own:
                    self._row, self._owner = row, own
                    return row
        raise RuntimeError(f"more than {ROWS} processes serve items of one SyntheticAugment")

    def __getstate__(self) -> dict[str, Any]:
        return {"_table": self._table}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._table = state["_table"]
        if not self._table.is_shared():
            self._table = self._table.clone().share_memory_()
            self._table[:, PID] = 0
        self._row, self._owner = None, -1


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
