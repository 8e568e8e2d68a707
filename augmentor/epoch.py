"""An epoch number that every worker process sees, however it was started."""

from typing import Any, SupportsIndex

import torch

from echo_augment.cache.errors import EchoAugmentError


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
