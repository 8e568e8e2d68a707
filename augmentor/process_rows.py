"""A row of a shared table for each process, without a lock."""

import os
from typing import Any

import numpy as np
import torch

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
