"""A thread that works through what it is given, in order, behind the thread that gives it."""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
LOOK_SECONDS = 0.2  # how soon the giver notices that the work has failed


class _End:
    """Given last."""


class Behind(Generic[T]):
    """Does some work for one thing after another, in a thread, at most ``waiting`` things behind.

    Call :meth:`close` at the end, whatever happened: what was given by then is worked through.

    Args:
        work: done for each thing; its first error ends the work, and is raised where the next thing is given.
        waiting: things that may wait for the thread beside the one that it works on.
    """

    def __init__(self, work: Callable[[T], object], waiting: int = 1) -> None:
        self._work = work
        self._things: queue.Queue[T | _End] = queue.Queue(waiting)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="behind", daemon=True)
        self._thread.start()

    def give(self, thing: T) -> None:
        """Hand one thing over; wait while too many do.

        Raises:
            BaseException: what the work of an earlier thing ended with.
        """
        self._put(thing)
        self._check()

    def wait(self) -> None:
        """Wait until everything given is done.

        Raises:
            BaseException: what the work ended with.
        """
        with self._things.all_tasks_done:
            while self._things.unfinished_tasks:
                self._things.all_tasks_done.wait(LOOK_SECONDS)
        self._check()

    def close(self) -> None:
        """Work through what was given and end the thread; an error that nobody was told of stays untold."""
        if self._thread.is_alive():
            self._things.put(_End())
            self._thread.join()

    def _put(self, thing: T) -> None:
        while self._error is None:
            try:
                self._things.put(thing, timeout=LOOK_SECONDS)
            except queue.Full:
                continue
            return

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while True:
            thing = self._things.get()
            try:
                if isinstance(thing, _End):
                    return
                if self._error is None:  # after an error, what is left is let go
                    self._work(thing)
            except BaseException as error:  # whatever it is, the giver has to know
                self._error = error
            finally:
                self._things.task_done()
