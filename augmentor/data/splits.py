"""Splits as real copies write them: any case, long forms, or fold numbers."""

import re
from collections.abc import Callable, Sequence

from echo_augment.cache.errors import EchoAugmentError

SplitChoice = str | int | Sequence[str | int]

TRAIN, VAL, TEST = "TRAIN", "VAL", "TEST"
HELD_OUT = (VAL, TEST)
EVALUATED = re.compile("TEST|TST|VAL|HOLD|HELD")  # in the words that others use
SYNONYMS = {
    "TRAINING": TRAIN,
    "VALID": VAL,
    "VALIDATION": VAL,
    "VALIDATE": VAL,
    "DEV": VAL,
    "TESTING": TEST,
}
FOLD_SPLITS = {**dict.fromkeys(range(8), TRAIN), 8: VAL, 9: TEST}
"""EchoNet-Pediatric numbers ten folds; as there, folds 0-7 train, 8 validates, 9 tests."""


MOST_DIGITS = 6  # of a fold number; Python reads no number of thousands of digits


def parse_split(text: str) -> tuple[str, int | None]:
    """Return ``(split, fold)`` of a Split entry.

    ``"train"`` and ``"Training"`` give ``("TRAIN", None)``; ``"3"`` and ``"3.0"`` give ``("TRAIN", 3)`` by
    `FOLD_SPLITS`; a fold beyond 9 gives ``("FOLD12", 12)``; any other word stays, in upper case.

    Raises:
        EchoAugmentError: the entry is empty.
    """
    word = text.strip().upper()
    if not word or word in {"NAN", "NA", "NONE", "NULL"}:
        raise EchoAugmentError(f"Split is {text!r}", "Write TRAIN, VAL, TEST or a fold number")
    number = word.removesuffix(".0")
    if number.isdecimal() and len(number) <= MOST_DIGITS:
        fold = int(number)
        return FOLD_SPLITS.get(fold, f"FOLD{fold}"), fold
    return SYNONYMS.get(word, word), None


def is_unseen(split: str) -> bool:
    """Return whether a split is kept for evaluation by its name: VAL, TEST, and words like ``INTERNAL_TEST``, ``EVAL``.

    >>> [word for word in ("TRAIN", "POOL", "TRAIN_VAL", "TEST2", "HOLD-OUT") if is_unseen(word)]
    ['TEST2', 'HOLD-OUT']
    """
    return "TRAIN" not in split and EVALUATED.search(split) is not None


def split_filter(choice: SplitChoice) -> Callable[[str, int | None], bool]:
    """Return a function ``(split, fold) -> bool`` for a user's choice of splits.

    Args:
        choice: ``"train"``, ``"val"``, ``"test"`` or another word of the Split column, in any case; ``"all"``; a fold
            number ``3``; ``"fold:3"`` or ``"fold:0,1,2"``; or a sequence of these, any of which may match.

    Raises:
        EchoAugmentError: ``choice`` is something else, or an empty sequence.
    """
    if isinstance(choice, bool) or not isinstance(choice, str | int | Sequence):
        raise EchoAugmentError(f"split must be a word, a fold number or a list of them, got {choice!r}")
    if not isinstance(choice, str | int):
        if not choice:
            raise EchoAugmentError("split is an empty list", 'Name at least one split or fold, or "all"')
        parts = [split_filter(item) for item in choice]
        return lambda split, fold: any(part(split, fold) for part in parts)
    if isinstance(choice, int):
        return lambda split, fold: fold == choice
    word = choice.strip().upper()
    if word == "ALL":
        return lambda split, fold: True
    if word.startswith("FOLD:"):
        numbers = [number.strip() for number in word.removeprefix("FOLD:").split(",")]
        if not all(number.isdecimal() and len(number) <= MOST_DIGITS for number in numbers):
            raise EchoAugmentError(f"split {choice!r} names no folds", 'Write "fold:3" or "fold:0,1,2"')
        folds = frozenset(int(number) for number in numbers)
        return lambda split, fold: fold in folds
    if word.isdecimal() and len(word) <= MOST_DIGITS:
        return lambda split, fold: fold == int(word)
    wanted, _ = parse_split(word)
    return lambda split, fold: split == wanted
