"""The error tells what to do, and crosses processes."""

import pickle

from echo_augment.cache import EchoAugmentError


def test_the_remedy_follows_the_message():
    assert str(EchoAugmentError("no cache at x", "Make one")) == "no cache at x. Make one"
    assert str(EchoAugmentError("no cache at x")) == "no cache at x"


def test_a_worker_can_send_it():
    error = pickle.loads(pickle.dumps(EchoAugmentError("no cache at x", "Make one")))  # noqa: S301  our own bytes
    assert (error.message, error.remedy) == ("no cache at x", "Make one") and isinstance(error, ValueError)
