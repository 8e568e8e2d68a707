"""Batches drawn ahead: the same in the same order, errors where they are taken, no thread left behind."""

import threading
import time

import pytest
import torch

from echo_augment.training_recipes.training.ahead import ready

CPU = torch.device("cpu")


def alive():
    return [thread for thread in threading.enumerate() if thread.name == "batches"]


@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_batches_keep_their_order_and_form(ahead):
    drawn = ({"x": torch.full((2,), k), "deep": {"y": [torch.tensor(k)]}} for k in range(7))
    with ready(drawn, CPU, lambda batch: batch | {"z": batch["x"] * 2}, ahead) as batches:
        found = [(int(b["x"][0]), int(b["deep"]["y"][0]), int(b["z"][1])) for b in batches]
    assert found == [(k, k, 2 * k) for k in range(7)] and not alive()


def test_no_more_than_asked_for_is_drawn_ahead():
    drawn = []

    def numbers():
        for k in range(100):
            drawn.append(k)
            yield torch.tensor(k)

    with ready(numbers(), CPU, None, 2) as batches:
        next(batches)
        time.sleep(0.3)
        assert drawn == [0, 1, 2, 3], "one taken, two ready, one in the thread's hands"
    assert not alive()


def test_an_error_comes_out_where_the_batch_is_taken():
    def broken():
        yield torch.zeros(1)
        raise ValueError("no such frame")

    with pytest.raises(ValueError, match="no such frame"), ready(broken(), CPU, None, 2) as batches:
        next(batches)
        next(batches)
    assert not alive()


def test_the_thread_ends_with_a_training_that_fails_and_closes_what_it_drew_from():
    closed = []

    def endless():
        try:
            while True:
                yield torch.zeros(1)
        finally:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt), ready(endless(), CPU, None, 2) as batches:
        next(batches)
        raise KeyboardInterrupt
    assert closed == [True] and not alive()


def test_batches_for_a_gpu_are_pinned_and_copied_without_waiting(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: calls.append("pinned") or self)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device, **how: calls.append((str(device), how)) or self)
    with ready(iter([[torch.zeros(1)]]), torch.device("cuda:0"), None, 1) as batches:
        next(batches)
    assert calls == ["pinned", ("cuda:0", {"non_blocking": True})]


def test_the_thread_takes_no_more_cores_than_the_training():
    seen = []

    def count():
        seen.append(torch.get_num_threads())
        yield torch.zeros(1)

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ready(count(), CPU, None, 1) as batches:
            next(batches)
    finally:
        torch.set_num_threads(before)
    assert seen == [1]
