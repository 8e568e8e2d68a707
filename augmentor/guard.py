"""No heart of VAL or TEST is trained on: refused by split and by the names of the donors."""

import csv
from pathlib import Path
from typing import Any

from echo_augment.cache.errors import EchoAugmentError

from .echo_adapter import column
from .tree import leaves, locate

HELD_OUT = frozenset({"VAL", "VALID", "VALIDATION", "TEST", "EXTERNAL_TEST", "CLINICAL_TEST"})


def refuse_held_out(base: Any) -> None:
    """Refuse a base that is, or contains, a VAL or TEST split.

    Raises:
        EchoAugmentError: a dataset's ``split`` is held out, or an item that ``base`` reaches is in such a split.
    """
    splits: dict[int, list[str]] = {}
    for leaf in leaves(base):
        chosen = getattr(leaf, "split", "")
        words = {str(word).upper() for word in (chosen if isinstance(chosen, list | tuple | set) else [chosen])}
        if words & HELD_OUT:
            raise EchoAugmentError(
                f"SyntheticAugment got the {min(words & HELD_OUT)} split",
                "Wrap the TRAIN split; evaluate on the bare dataset, so that scores are of real clips only",
            )
        splits[id(leaf)] = [str(value).strip().upper() for value in column(leaf, "Split")]
    if not any(HELD_OUT.intersection(values) for values in splits.values()):
        return
    for index in range(len(base)):
        leaf, place = locate(base, index)
        if splits[id(leaf)] and splits[id(leaf)][place] in HELD_OUT:
            raise EchoAugmentError(
                f"item {index} of the dataset ({leaf.fnames[place]}) is in the {splits[id(leaf)][place]} split",
                'Load the dataset with split="train", or wrap a Subset of its TRAIN items',
            )


def refuse_leaking_donors(base: Any, donors: frozenset[str]) -> None:
    """Refuse a source one of whose donors is a held-out video of the dataset behind ``base``.

    Names are compared without suffix. A dataset without a ``FileList.csv`` in its ``root`` is not checked.

    Args:
        base: the wrapped dataset.
        donors: names of all motion and appearance donors.

    Raises:
        EchoAugmentError: naming the first leaking donors.
    """
    stems = {Path(name).stem for name in donors}
    for leaf in leaves(base):
        root = getattr(leaf, "root", None)
        table = Path(root) / "FileList.csv" if root else None
        if table is None or not table.is_file():
            continue
        leaked = sorted(stems & held_out_names(table))
        if leaked:
            raise EchoAugmentError(
                f"{len(leaked)} donors of the synthetic clips are VAL or TEST videos of {root}, {leaked[0]} among them",
                "Fill a new cache with donors of the TRAIN split only",
            )


def held_out_names(table: Path) -> set[str]:
    """Names without suffix of the VAL and TEST videos in a ``FileList.csv``."""
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    names = {row.get("FileName") or "" for row in rows if (row.get("Split") or "").strip().upper() in HELD_OUT}
    return {Path(name).stem for name in names} - {""}
