"""Timing things against each other: interleaved repetitions, so that a busy machine slows all of them alike."""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from echo_augment.cache.system.progress import follow

Seconds = npt.NDArray[np.float64]
Contender = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some repetitions, and the quartiles around it.

    Attributes:
        median: median of the repetitions.
        low: first quartile.
        high: third quartile.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: npt.ArrayLike) -> "Spread":
        """Return the spread of some numbers, at least one."""
        low, median, high = np.quantile(np.asarray(values, np.float64), [0.25, 0.5, 0.75])
        return cls(float(median), float(low), float(high))

    @classmethod
    def exact(cls, value: float) -> "Spread":
        """Return the spread of a number that was counted, not measured again and again."""
        return cls(value, value, value)


def interleave(
    contenders: Mapping[str, Contender], rounds: int, *, what: str, warmup: int = 1, most: int = 1
) -> dict[str, Seconds]:
    """Time every contender once a round, in rotating order: A B C, then B C A, then C A B.

    One after another, never A's repetitions before B's: whatever else the machine does in the meantime then falls on
    all of them. The order rotates, so that none always finds the processor's caches as the same other left them. With
    ``most``, quick contenders go several times in a row, until they take about as long as the slowest: on a busy
    machine a short turn would fit between two interruptions while a long one meets many. The garbage collector rests
    meanwhile.

    Args:
        contenders: by name; each is called with a number that counts its calls, the same ones for all.
        rounds: timed rounds, at least 1.
        what: name of the stage.
        warmup: rounds before them that are not timed, at least 1 with ``most``.
        most: calls in a row at most.

    Returns:
        Seconds of one call by contender, ``(rounds,)``.
    """
    names = list(contenders)
    seconds = {name: np.empty(rounds) for name in names}
    times = dict.fromkeys(names, 1)
    first_cost: dict[str, float] = {}
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for turn in follow(range(-warmup, rounds), what, unit="round"):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                began, used = time.perf_counter(), time.process_time()
                for again in range(times[name]):
                    contenders[name]((turn + warmup) * most + again)
                took = (time.perf_counter() - began) / times[name]
                if turn >= 0:
                    seconds[name][turn] = took
                else:
                    first_cost[name] = max(time.process_time() - used, 1e-7)
            if turn == -1:
                longest = max(first_cost.values())
                times = {name: int(np.clip(round(longest / first_cost[name]), 1, most)) for name in names}
    finally:
        if collects:
            gc.enable()
    return seconds


def ratio(slower: Seconds, faster: Seconds) -> Spread:
    """Return how many times as long the one took as the other, round by round: median and quartiles."""
    return Spread.of(slower / faster)
