"""Batches made ready for the device: drawn ahead by a thread, pinned, copied beside the computation, finished there."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

Finish = Callable[[Any], Any]
LOOK_SECONDS = 0.2  # how soon a thread whose training has ended notices


@dataclass(frozen=True, slots=True)
class _Failed:
    """What drawing a batch ended with; raised where the batch is taken."""

    error: BaseException


@contextmanager
def ready(
    drawn: Iterator[Any], device: torch.device, finish: Finish | None = None, ahead: int = 0
) -> Iterator[Iterator[Any]]:
    """Lend batches that lie on a device; the thread that draws them, if there is one, ends with the context.

    The batches and their order are those of ``drawn``, whatever ``ahead`` is.

    Args:
        drawn: batches in the host's memory: tensors in any nesting of dicts, lists and tuples.
        device: where they go.
        finish: makes of a batch on its device what is wanted, without gradient.
        ahead: batches that a thread holds ready; 0 draws each when it is taken, without a thread.

    >>> with ready(iter([torch.ones(2), torch.zeros(2)]), torch.device("cpu"), lambda batch: batch + 1, 1) as batches:
    ...     [batch.tolist() for batch in batches]
    [[2.0, 2.0], [1.0, 1.0]]
    """
    pin = device.type == "cuda"
    thread = Drawing(drawn, pin=pin, ahead=ahead) if ahead else None
    try:
        yield _on_device(thread or drawn, device, finish)
    finally:
        if thread is not None:
            thread.stop()


def _on_device(batches: Iterator[Any], device: torch.device, finish: Finish | None) -> Iterator[Any]:
    for batch in batches:
        there = tree_map(lambda item: _moved(item, device), batch)
        if finish is not None:
            with torch.no_grad():
                there = finish(there)
        yield there


def _moved(item: Any, device: torch.device) -> Any:
    return item.to(device, non_blocking=True) if isinstance(item, Tensor) else item


class Drawing(Iterator[Any]):
    """Batches that a thread draws ahead; NumPy and torch work beside the main thread, which leaves them the lock.

    Args:
        drawn: the batches; only the thread draws from them.
        pin: whether to copy them to pinned memory, from which a GPU copies beside its computation.
        ahead: batches to hold ready, at least 1.
    """

    def __init__(self, drawn: Iterator[Any], *, pin: bool, ahead: int) -> None:
        self._drawn, self._pin = drawn, pin
        self._ready: queue.Queue[Any] = queue.Queue(ahead)
        self._stopped = threading.Event()
        self._ended = False
        self._threads = torch.get_num_threads()
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)
        self._thread.start()

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        item = self._ready.get()
        if isinstance(item, _Failed):
            self._ended = True
            raise item.error
        return item

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        torch.set_num_threads(self._threads)  # a new thread would otherwise take all cores
        try:
            for batch in self._drawn:
                if not self._put(tree_map(self._pinned, batch) if self._pin else batch):
                    return
            self._put(_Failed(StopIteration()))
        except BaseException as error:  # whatever it is, the main thread has to know
            self._put(_Failed(error))
        finally:
            if isinstance(self._drawn, Generator):
                self._drawn.close()

    def _pinned(self, item: Any) -> Any:
        return item.pin_memory() if isinstance(item, Tensor) else item

    def _put(self, item: Any) -> bool:
        """Hand an item over; return whether it is still wanted."""
        while not self._stopped.is_set():
            try:
                self._ready.put(item, timeout=LOOK_SECONDS)
            except queue.Full:
                continue
            return True
        return False
