"""Real clips in a store: they look like any others, and must never be taken for synthetic ones."""

from .errors import EchoAugmentError

REAL = "real-video-1"  # the fingerprint of every store of real clips; the number is of the way they are packed


def is_real(fingerprint: str) -> bool:
    """Whether a store with this fingerprint holds a real data set's clips."""
    return fingerprint.startswith("real-video-")


def refuse_real(folder: object, fingerprint: str) -> None:
    """Refuse a store of real clips where synthetic ones are wanted.

    Raises:
        EchoAugmentError: it is one.
    """
    if is_real(fingerprint):
        raise EchoAugmentError(
            f"{folder} holds the real clips of a packed data set, VAL and TEST among them, and no synthetic ones",
            "Give it to EchoNetDynamic(root, store=...); synthetic clips come from fill-cache",
        )
