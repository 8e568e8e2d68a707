"""State that DataLoader workers share without a lock: a row for each process, counts of what was served, the epoch."""

import os
from typing import Any, SupportsIndex

import numpy as np
import torch

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.processes import alive


class ProcessRows:
    """Hands each process a row number of its own, so that shared tables can be written without a lock.

    A lock would tie a dataset to one start method: a ``fork`` lock cannot travel to a ``spawn`` worker. A process
    claims a row by writing its id into it, and takes over the row of a process that has ended, with what stands there.

    Args:
        count: processes alive at once.
    """

    def __init__(self, count: int) -> None:
        self._owners = torch.zeros(count, dtype=torch.int64).share_memory_()
        self._view = self._owners.numpy()
        self._row, self._pid = -1, -1

    def own(self) -> int:
        """The row of this process.

        Raises:
            RuntimeError: more processes than rows.
        """
        pid = os.getpid()
        if self._pid != pid or self._view[self._row] != pid:
            self._row, self._pid = self._claim(pid), pid
        return self._row

    def _claim(self, pid: int) -> int:
        owners = self._view
        info = torch.utils.data.get_worker_info()
        for row in np.roll(np.arange(len(owners)), -(0 if info is None else info.id + 1)).tolist():
            if owners[row] in (0, pid) or not alive(int(owners[row])):
                owners[row] = pid
                if owners[row] == pid:
                    return row
        raise RuntimeError(f"more than {len(owners)} processes share one SyntheticAugment")

    def __getstate__(self) -> dict[str, Any]:
        return {"_owners": self._owners}

    def __setstate__(self, state: dict[str, Any]) -> None:
        owners = state["_owners"]
        shared = owners.is_shared()
        self._owners = owners if shared else torch.zeros_like(owners).share_memory_()
        self._view = self._owners.numpy()
        self._row, self._pid = -1, -1


KINDS = ("real", "cached", "fresh", "fallback")
ROWS = 512  # processes alive at once that serve items of one dataset


class ServedCounts:
    """A table in torch shared memory with one row per process, each written by its owner alone (`ProcessRows`)."""

    def __init__(self) -> None:
        self._rows = ProcessRows(ROWS)
        self._table = torch.zeros((ROWS, 1 + len(KINDS)), dtype=torch.int64).share_memory_()  # epoch, kinds
        self._view = self._table.numpy()

    def add(self, kind: str, epoch: int) -> None:
        """Count one item of ``kind`` (one of ``KINDS``) for ``epoch``."""
        row = self._view[self._rows.own()]
        if row[0] != epoch:
            row[1:] = 0
            row[0] = epoch
        row[1 + KINDS.index(kind)] += 1

    def total(self, epoch: int) -> dict[str, int]:
        """How many items of each kind all processes have made in ``epoch`` since it was last set."""
        rows = self._view[self._view[:, 0] == epoch]
        return {kind: int(rows[:, 1 + column].sum()) for column, kind in enumerate(KINDS)}

    def clear(self) -> None:
        """Forget all counts."""
        self._view[:, 1:] = 0

    def __getstate__(self) -> dict[str, Any]:
        return {"_rows": self._rows, "_table": self._table}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._rows, self._table = state["_rows"], state["_table"]
        if not self._table.is_shared():
            self._table.share_memory_()
        self._view = self._table.numpy()


class SharedEpoch:
    """The current epoch in torch shared memory, so that ``set_epoch`` reaches persistent workers.

    A pickled copy that travels to a DataLoader worker still points to the same memory; a copy made by plain
    ``pickle`` (or ``copy.deepcopy``) gets memory of its own. Torch's shared tensors have no name in the file system
    that could be left behind after Ctrl-C (mosaicml/streaming#781).
    """

    def __init__(self) -> None:
        self._cell = torch.zeros(1, dtype=torch.int64).share_memory_()

    def get(self) -> int:
        """The epoch, 0 at first."""
        return int(self._cell)

    def set(self, epoch: int) -> None:
        """Set the epoch for all processes."""
        self._cell.fill_(epoch)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not self._cell.is_shared():
            self._cell.share_memory_()


def checked_epoch(epoch: Any) -> int:
    """``epoch`` as an int.

    Raises:
        EchoAugmentError: it is not a whole number of at least 0.
    """
    if isinstance(epoch, bool) or not isinstance(epoch, SupportsIndex) or epoch.__index__() < 0:
        raise EchoAugmentError(f"epoch must be a whole number >= 0, got {epoch!r}")
    return epoch.__index__()
