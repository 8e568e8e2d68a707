"""Work behind the one who gives it: in order, never far behind, and its first error is told."""

import threading

import pytest

from echo_augment.cache.system.behind import Behind


def test_everything_is_done_in_order():
    done = []
    behind = Behind(done.append)
    for thing in range(50):
        behind.give(thing)
    behind.wait()
    assert done == list(range(50))
    behind.give(50)
    behind.close()
    assert done == list(range(51))
    behind.close()  # again: nothing happens


def test_the_giver_waits_when_too_much_waits():
    go, done = threading.Event(), []

    def work(thing):
        go.wait(30)
        done.append(thing)

    behind = Behind(work)
    behind.give(0), behind.give(1)  # one is worked on, one waits
    giver = threading.Thread(target=behind.give, args=(2,))
    giver.start()
    giver.join(0.3)
    assert giver.is_alive() and not done
    go.set()
    giver.join(30)
    behind.close()
    assert done == [0, 1, 2]


def test_the_first_error_is_raised_where_the_next_thing_is_given_and_what_waits_is_let_go():
    done, go = [], threading.Event()

    def work(thing):
        go.wait(30)
        if thing == 1:
            raise ValueError("thing 1")
        done.append(thing)

    behind = Behind(work, waiting=5)
    for thing in range(4):
        behind.give(thing)
    go.set()
    with pytest.raises(ValueError, match="thing 1"):
        behind.wait()
    with pytest.raises(ValueError, match="thing 1"):
        behind.give(9)
    behind.close()
    assert done == [0]
