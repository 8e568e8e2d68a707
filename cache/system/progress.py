"""Progress that a person can follow: one line a stage, with the time left; in a log file one line a minute.

On a terminal the line is drawn over itself. Elsewhere (a log file, Slurm's output) it is written anew at most once a
minute, without carriage returns, and once more when the stage is done. `talking` makes all of it quieter or denser.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from enum import Enum
from types import TracebackType
from typing import TextIO, TypeVar

Item = TypeVar("Item")
REDRAWN = 0.2  # seconds between two pictures of the line on a terminal


class Talk(Enum):
    """How much a job tells: the value is the number of seconds between two lines of a stage in a log file."""

    QUIET = 0.0
    NORMAL = 60.0
    VERBOSE = 10.0


_talk = Talk.NORMAL
_shown: list["Progress"] = []  # stages that are shown, the innermost last


@contextmanager
def talking(how: Talk) -> Iterator[None]:
    """Let everything inside tell less or more: a quiet job shows no progress and says nothing on its way.

    >>> with talking(Talk.QUIET):
    ...     say("on the way")
    >>> say("on the way")
    on the way
    """
    global _talk
    before, _talk = _talk, how
    try:
        yield
    finally:
        _talk = before


def say(text: str) -> None:
    """Print a line of a job on its way, above the line of progress; nothing in a quiet job."""
    if _talk is Talk.QUIET:
        return
    if _shown:
        _shown[-1].wipe()
    print(text, flush=True)
    if _shown:
        _shown[-1].draw()


def duration(seconds: float) -> str:
    """Return a duration to read.

    >>> duration(45), duration(720), duration(12_240), duration(181_440)
    ('45 s', '12 min', '3.4 h', '2.1 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def plural(count: int, unit: str) -> str:
    """Return a number of things.

    >>> plural(1, "video"), plural(10_030, "video"), plural(2, "batch"), plural(2, "copy")
    ('1 video', '10,030 videos', '2 batches', '2 copies')
    """
    if count == 1:
        return f"1 {unit}"
    if unit.endswith(("s", "x", "ch", "sh")):
        return f"{count:,} {unit}es"
    return f"{count:,} {unit[:-1]}ies" if unit.endswith("y") else f"{count:,} {unit}s"


def leave() -> None:
    """End the lines of all stages, since an error ends them: what is printed next stands on a line of its own."""
    while _shown:
        _shown[-1].__exit__(KeyboardInterrupt, None, None)


class Progress:
    """How far one stage is; a context manager.

    Args:
        name: of the stage.
        total: how many there are in all; None if nobody knows.
        unit: what is counted, in the singular.
        done: how many were done before.
        show: false for a stage of which nobody wants to hear, for instance in a worker.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        name: str,
        total: int | None,
        *,
        unit: str,
        done: int = 0,
        show: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.total, self.unit, self.before, self.done = name, total, unit, done, done
        self.show, self.clock, self.notes = show, clock, ""
        self._began = self._last = clock()
        self._width = 0

    def __enter__(self) -> "Progress":
        self._began = self._last = self.clock()
        if self._visible:
            _shown.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self not in _shown:
            return
        _shown.remove(self)
        self.wipe()
        self._print(self.last_line() if kind is None else f"{self.line()}; stopped", "\n")
        if _shown:
            _shown[-1].draw()

    def update(self, count: int = 1, notes: str | None = None) -> None:
        """Count what is done now.

        Args:
            count: how many more.
            notes: what else the line tells, for instance ``"3 rejected"``; None leaves it as it is.
        """
        self.done += count
        if notes is not None:
            self.notes = notes
        if self not in _shown:
            return
        now, pause = self.clock(), REDRAWN if self._on_terminal else _talk.value
        if now - self._last < pause or _shown[-1] is not self:
            return
        self._last = now
        if self._on_terminal:
            self.draw()
        else:
            self._print(self.line(), "\n")

    def left(self) -> float | None:
        """Return the seconds that the rest takes at the pace so far; None if that cannot be known yet."""
        fresh = self.done - self.before
        if self.total is None or fresh <= 0:
            return None
        return (self.clock() - self._began) / fresh * max(0, self.total - self.done)

    def line(self) -> str:
        """Return how far the stage is: ``prepare: 120 of 1,000 videos, 3 min so far, about 22 min left``."""
        count = plural(self.done, self.unit)
        if self.total is not None:
            count = f"{self.done:,} of {plural(self.total, self.unit)}"
        left = self.left()
        rest = "" if left is None else f", about {duration(left)} left"
        return f"{self.name}: {count}, {duration(self.clock() - self._began)} so far{rest}{self._told}"

    def last_line(self) -> str:
        """Return what is told when the stage is done: ``prepare: 1,000 videos in 25 min``."""
        there = f" ({self.before:,} were there)" if self.before else ""
        count, spent = plural(self.done, self.unit), duration(self.clock() - self._began)
        return f"{self.name}: {count}{there} in {spent}{self._told}"

    @property
    def _told(self) -> str:
        return f"; {self.notes}" if self.notes else ""

    @property
    def _visible(self) -> bool:
        return self.show and _talk is not Talk.QUIET

    @property
    def _on_terminal(self) -> bool:
        return on_terminal(sys.stderr)

    def draw(self) -> None:
        """Draw the line over itself, on a terminal; it is cut where the terminal ends."""
        if not self._on_terminal:
            return
        text = self.line()[: max(10, shutil.get_terminal_size().columns - 1)]
        self._print(f"\r{text.ljust(self._width)}", "")
        self._width = len(text)

    def wipe(self) -> None:
        """Remove the line from a terminal, so that another can be printed there."""
        if self._on_terminal and self._width:
            self._print(f"\r{' ' * self._width}\r", "")
            self._width = 0

    def _print(self, text: str, end: str) -> None:
        print(text, end=end, file=sys.stderr, flush=True)


def on_terminal(stream: TextIO | None) -> bool:
    """Return whether a person looks at a stream: it is a terminal that can draw over a line."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def follow(
    items: Iterable[Item], name: str, *, unit: str, total: int | None = None, show: bool = True
) -> Iterator[Item]:
    """Yield the items and show how far they are.

    Args:
        items: of the stage; each counts as done when the next one is asked for.
        name: of the stage.
        unit: what an item is, in the singular.
        total: number of items; by default their length, if they have one.
        show: false for a stage of which nobody wants to hear.

    >>> list(follow([1, 2], "double", unit="number", show=False))
    [1, 2]
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(name, total, unit=unit, show=show) as progress:
        for item in items:
            yield item
            progress.update()
