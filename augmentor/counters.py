"""Counts of what was served, summed over worker processes without a lock."""

from typing import Any

import torch

from .process_rows import ProcessRows

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
