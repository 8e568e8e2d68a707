"""State that DataLoader workers share without a lock: a row for each process, counts of served items, the epoch."""

import os
import warnings

import numpy as np
import torch

from echo_augment.cache.arguments import check_whole
from echo_augment.cache.system.processes import alive


class ProcessRows:
    """Gives each process a row number of its own, so that shared tables can be written without a lock.

    A lock would tie a dataset to one start method: a ``fork`` lock cannot be sent to a ``spawn`` worker. A process
    claims a row by writing its id into it; it may take over the row of an ended process, with its content.

    Args:
        count: number of processes that can be alive at the same time.
    """

    def __init__(self, count: int) -> None:
        self._owners = torch.zeros(count, dtype=torch.int64).share_memory_()
        self._view = self._owners.numpy()
        self._row, self._pid = -1, -1

    def own(self) -> int:
        """Return the row of this process.

        Raises:
            RuntimeError: there are more processes than rows.
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

    def __getstate__(self) -> tuple[torch.Tensor]:
        return (self._owners,)

    def __setstate__(self, state: tuple[torch.Tensor]) -> None:
        (owners,) = state
        self._owners = owners if owners.is_shared() else torch.zeros_like(owners).share_memory_()
        self._view = self._owners.numpy()
        self._row, self._pid = -1, -1


KINDS = ("real", "cached", "fresh", "fallback")
ROWS = 512  # processes that can serve items of one dataset at the same time


class ServedCounts:
    """Counts served items in torch shared memory, in a row for each process that only it writes (`ProcessRows`)."""

    def __init__(self) -> None:
        self._rows = ProcessRows(ROWS)
        self._table = torch.zeros((ROWS, 1 + len(KINDS)), dtype=torch.int64).share_memory_()  # epoch, kinds
        self._view = self._table.numpy()

    def add(self, kind: str, epoch: int) -> None:
        """Count one item of ``kind``, which is one of ``KINDS``, for ``epoch``."""
        row = self._view[self._rows.own()]
        if row[0] != epoch:
            row[1:] = 0
            row[0] = epoch
        row[1 + KINDS.index(kind)] += 1

    def total(self, epoch: int) -> dict[str, int]:
        """Return how many items of each kind all processes have made in ``epoch`` since it was last set."""
        rows = self._view[self._view[:, 0] == epoch]
        return {kind: int(rows[:, 1 + column].sum()) for column, kind in enumerate(KINDS)}

    def clear(self) -> None:
        """Forget all counts."""
        self._view[:, 1:] = 0

    def __getstate__(self) -> tuple[ProcessRows, torch.Tensor]:
        return self._rows, self._table

    def __setstate__(self, state: tuple[ProcessRows, torch.Tensor]) -> None:
        self._rows, self._table = state
        if not self._table.is_shared():
            self._table.share_memory_()
        self._view = self._table.numpy()


class RepeatedItems:
    """Warns once, over all processes, if items are read a second time and no epoch was ever set.

    The marks lie in torch shared memory, so that workers that are started anew for every epoch see those of the epoch
    before.

    Args:
        count: number of items.
    """

    def __init__(self, count: int) -> None:
        self._marks = torch.zeros(2 + count, dtype=torch.uint8).share_memory_()  # the first two: said
        self._view = self._marks.numpy()

    def see(self, index: int, name: str) -> None:
        """Mark item ``index`` as read; ``name`` is what the warning calls the dataset."""
        view = self._view
        if view[0]:
            return
        if view[2 + index]:
            view[0] = 1
            warnings.warn(
                f"{name}: items are read again and set_epoch was never called, so every epoch has the same clips and "
                "the same draws. Call set_epoch(epoch) of the outermost dataset before each epoch",
                stacklevel=4,
            )
        view[2 + index] = 1

    def first(self) -> bool:
        """Return True the first time it is called, over all processes, and then False; for a second warning."""
        said, self._view[1] = bool(self._view[1]), 1
        return not said

    def off(self) -> None:
        """Never warn: an epoch was set."""
        self._view[0] = 1

    def __getstate__(self) -> tuple[torch.Tensor]:
        return (self._marks,)

    def __setstate__(self, state: tuple[torch.Tensor]) -> None:
        (marks,) = state
        self._marks = marks if marks.is_shared() else marks.share_memory_()
        self._view = self._marks.numpy()


class SharedEpoch:
    """Keeps the current epoch in torch shared memory, so that ``set_epoch`` reaches persistent workers.

    The copy that a DataLoader worker gets uses the same memory; a copy made by plain ``pickle`` or ``copy.deepcopy``
    gets memory of its own. Torch's shared tensors have no name in the file system that could be left behind after
    Ctrl-C (mosaicml/streaming#781).
    """

    def __init__(self) -> None:
        self._cell = torch.zeros(1, dtype=torch.int64).share_memory_()

    def get(self) -> int:
        """Return the epoch, 0 at first."""
        return int(self._cell)

    def set(self, epoch: int) -> None:
        """Set the epoch for all processes.

        Raises:
            EchoAugmentError: ``epoch`` is no whole number of at least 0.
        """
        self._cell.fill_(check_whole("epoch", epoch))

    def __getstate__(self) -> tuple[torch.Tensor]:
        return (self._cell,)

    def __setstate__(self, state: tuple[torch.Tensor]) -> None:
        (cell,) = state
        self._cell = cell if cell.is_shared() else cell.share_memory_()
