"""State that processes share without a lock."""

import copy
import multiprocessing

import pytest

from echo_augment.augmentor.workers import ProcessRows, ServedCounts, SharedEpoch
from echo_augment.cache import EchoAugmentError


def run(target, *args):
    process = multiprocessing.get_context("fork").Process(target=target, args=args)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_an_epoch_set_here_is_the_epoch_there():
    epoch = SharedEpoch()
    run(epoch.set, 4)
    assert epoch.get() == 4


def test_a_copy_has_an_epoch_of_its_own():
    epoch = SharedEpoch()
    epoch.set(2)
    other = copy.deepcopy(epoch)
    other.set(5)
    assert (epoch.get(), other.get()) == (2, 5)


@pytest.mark.parametrize("bad", [-1, 1.5, True, "2", None])
def test_a_bad_epoch_is_named_and_changes_nothing(bad):
    epoch = SharedEpoch()
    with pytest.raises(EchoAugmentError, match=f"epoch must be a whole number of at least 0, got {bad!r}"):
        epoch.set(bad)
    assert epoch.get() == 0


def test_counts_of_all_processes_add_up_by_epoch():
    counts = ServedCounts()
    counts.add("real", 0)
    run(counts.add, "fresh", 0)
    assert counts.total(0) == {"real": 1, "cached": 0, "fresh": 1, "fallback": 0} and not any(counts.total(1).values())
    counts.clear()
    assert not any(counts.total(0).values())


def test_a_process_keeps_its_row_and_takes_over_that_of_a_dead_one():
    rows = ProcessRows(2)
    own = rows.own()
    run(rows.own)
    run(rows.own)  # the row of the process before, which has ended
    assert rows.own() == own


def test_more_processes_than_rows():
    rows = ProcessRows(1)
    rows.own()

    def claim():
        with pytest.raises(RuntimeError, match="more than 1 processes"):
            rows.own()

    run(claim)
