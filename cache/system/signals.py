"""Keep Ctrl-C and a scheduler's signals out of the middle of a write."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = ("SIGINT", "SIGTERM")
WARNING = ("SIGUSR1", "SIGUSR2")  # what Slurm sends before the time is up, if asked to
_UNTOUCHED = (None, signal.SIG_IGN)  # handled outside Python; ignored


class SafeStop:
    """Turns SIGINT, SIGTERM, SIGUSR1 and SIGUSR2 into ``KeyboardInterrupt``; inside :meth:`shielded` only at its end.

    The former handler of SIGUSR1 or SIGUSR2 is called on leaving, when everything is sealed: submitit's handler
    requeues the Slurm job. Signals can be handled in the main thread only; in others this does nothing.
    """

    def __init__(self) -> None:
        self._depth, self._pending = 0, False
        self._before: dict[int, object] = {}
        self._warned: Callable[[], object] | None = None

    def __enter__(self) -> "SafeStop":
        if threading.current_thread() is threading.main_thread():
            for name in STOPPING + WARNING:
                number = getattr(signal, name, None)  # Windows has no SIGUSR
                if number is not None and not (name in WARNING and signal.getsignal(number) in _UNTOUCHED):
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            if handler is not None:  # None: it was not set from Python, and cannot be set back from here
                signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}
        if self._warned is not None:
            self._warned()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        before = self._before.get(number)
        if signal.Signals(number).name in WARNING and callable(before):
            self._warned = lambda: before(number, None)
        if self._depth:
            self._pending = True
        else:
            raise KeyboardInterrupt

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Run a block that no signal may interrupt.

        Raises:
            KeyboardInterrupt: at the end of the outermost block, if a signal came in it.
        """
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._pending and not self._depth:
            self._pending = False
            raise KeyboardInterrupt
