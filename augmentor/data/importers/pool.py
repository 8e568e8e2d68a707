"""Work in several processes that survives a decoder's crash and finds the file that caused it."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from echo_augment.cache.system.processes import end_with_parent

T = TypeVar("T")
R = TypeVar("R")


def each(function: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[tuple[T, R | None]]:
    """Yield each item with its result as it is done, in any order; None for one that crashed its process.

    Args:
        function: picklable function of an item; its exceptions are raised here.
        items: picklable.
        workers: processes, at most one an item.
    """
    todo = list(reversed(items))
    while todo:
        suspects: list[T] = []
        for item, result, crashed in _until_crash(function, todo, min(workers, len(todo))):
            if crashed:
                suspects.append(item)
            else:
                yield item, result
        for item in suspects:  # one at a time, to find which of them crashes
            for _, result, _ in _until_crash(function, [item], 1):
                yield item, result


def _until_crash(function: Callable[[T], R], todo: list[T], workers: int) -> Iterator[tuple[T, R | None, bool]]:
    """Take items from the end of ``todo`` until all are done or a process crashes; then tell which were at work."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start)
    running: dict[Future[R], T] = {}
    broken = False
    try:
        while running or (todo and not broken):
            while todo and not broken and len(running) < 2 * workers:
                try:
                    future = pool.submit(function, todo[-1])
                except BrokenProcessPool:
                    broken = True
                else:
                    running[future] = todo.pop()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                item = running.pop(future)
                try:
                    yield item, future.result(), False
                except BrokenProcessPool:
                    broken = True
                    yield item, None, True
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    """End with the parent, and keep OpenCV from starting threads of its own in every worker."""
    end_with_parent()
    cv2.setNumThreads(1)
