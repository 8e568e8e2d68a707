"""Timing in turns: nobody is always first, and a slow moment of the machine falls on all."""

import pytest

from echo_augment.evaluation.speed import timing
from echo_augment.evaluation.speed.timing import Spread, interleave, ratio


class Clock:
    """A clock that only moves when somebody works."""

    def __init__(self):
        self.now, self.log = 0.0, []

    def perf_counter(self):
        return self.now

    process_time = perf_counter

    def work(self, name, seconds):
        def go(turn):
            self.now += seconds[turn % len(seconds)] if isinstance(seconds, list) else seconds
            self.log.append((name, turn))

        return go


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_contenders_take_turns_in_every_round(clock):
    times = interleave({"a": clock.work("a", 1), "b": clock.work("b", 2), "c": clock.work("c", 3)}, 3, what="x")
    names = [name for name, _ in clock.log]
    assert [set(names[k : k + 3]) for k in range(0, 12, 3)] == [{"a", "b", "c"}] * 4
    assert {names[k] for k in range(3, 12, 3)} == {"a", "b", "c"}, "somebody is always first"
    assert {name: seconds.tolist() for name, seconds in times.items()} == {"a": [1] * 3, "b": [2] * 3, "c": [3] * 3}
    assert sorted({turn for name, turn in clock.log if name == "a"}) == sorted({t for n, t in clock.log if n == "b"})


def test_quick_contenders_go_as_long_as_the_slowest(clock):
    times = interleave({"slow": clock.work("slow", 30), "quick": clock.work("quick", 2)}, 2, what="x", most=99)
    assert [name for name, _ in clock.log].count("quick") == 1 + 2 * 15
    assert times["quick"].tolist() == [2, 2] and times["slow"].tolist() == [30, 30]
    clock.log.clear()
    interleave({"slow": clock.work("slow", 30), "quick": clock.work("quick", 2)}, 1, what="x", most=4)
    assert [name for name, _ in clock.log].count("quick") == 1 + 4


def test_a_slow_moment_of_the_machine_does_not_move_the_ratio(clock):
    busy = [1, 1, 9, 1, 1, 1]
    times = interleave({"a": clock.work("a", busy), "b": clock.work("b", [5 * value for value in busy])}, 5, what="x")
    assert ratio(times["b"], times["a"]) == Spread(5, 5, 5)
