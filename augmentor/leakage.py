"""Keep VAL and TEST videos out of training: by split or fold, by the donors' names, by their videos' content."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from echo_augment.cache.errors import EchoAugmentError

from .adapters import column
from .data.csv_files import inside, read_csv, video_name
from .data.leaks import find_leaks
from .data.records import VideoInfo
from .data.selection import openable
from .data.splits import HELD_OUT, SplitChoice, parse_split, split_filter
from .data.table import FILE_LIST, KNOWN_COLUMNS, VIDEOS
from .wrapping import leaves, locate

UNSEEN = frozenset({*HELD_OUT, "EXTERNAL_TEST", "CLINICAL_TEST"})
IsHeldOut = Callable[[str, int | None], bool]


def held_out_filter(choice: SplitChoice | None) -> IsHeldOut:
    """Return ``(split, fold) -> bool``; by default VAL and TEST are held out (`splits.FOLD_SPLITS`: folds 8 and 9).

    Raises:
        EchoAugmentError: `splits.split_filter` does not know ``choice``.
    """
    return (lambda split, fold: split in UNSEEN) if choice is None else split_filter(choice)


def refuse_held_out(base: Any, held_out: SplitChoice | None = None) -> None:
    """Raise if ``base`` is, or contains, a held-out split.

    Args:
        base: dataset to wrap.
        held_out: splits or folds that must stay unseen; None is VAL and TEST.

    Raises:
        EchoAugmentError: a dataset's ``split`` is held out, or an item that ``base`` reaches is in such a split.
    """
    unseen = held_out_filter(held_out)
    marks: dict[int, list[str]] = {}
    for leaf in leaves(base):
        for word, split, fold in chosen_splits(getattr(leaf, "split", None)):
            if unseen(split, fold):
                raise EchoAugmentError(
                    f"SyntheticAugment got the {word} split",
                    "Wrap the TRAIN split; evaluate on the bare dataset, so that scores are of real clips only. "
                    "For cross-validation name the folds that stay unseen: held_out=[8, 9]",
                )
        marks[id(leaf)] = [str(value) for value in column(leaf, "Split")]
    if not any(unseen(*parsed(text)) for texts in marks.values() for text in set(texts)):
        return
    for index in range(len(base)):
        leaf, place = locate(base, index)
        if marks[id(leaf)] and unseen(*parsed(marks[id(leaf)][place])):
            raise EchoAugmentError(
                f"item {index} of the dataset ({leaf.fnames[place]}) is in the {marks[id(leaf)][place].upper()} split",
                'Load the dataset with split="train", or wrap a Subset of its TRAIN items',
            )


def chosen_splits(choice: Any) -> list[tuple[str, str, int | None]]:
    """Return ``(as written, split, fold)`` for each word or fold in the ``split`` argument of a dataset."""
    found: list[tuple[str, str, int | None]] = []
    for part in choice if isinstance(choice, list | tuple | set | frozenset) else [choice]:
        text = str(part).strip().upper()
        words = text.removeprefix("FOLD:").split(",") if text.startswith("FOLD:") else [text]
        found += [(word if word == text else f"fold {word}", *parsed(word)) for word in words]
    return found


@lru_cache(maxsize=1024)
def parsed(text: str) -> tuple[str, int | None]:
    """Return split and fold as `parse_split` does, and ``("", None)`` for an entry that names no split."""
    try:
        return parse_split(text)
    except EchoAugmentError:
        return "", None


def refuse_leaking_donors(
    base: Any,
    donors: Iterable[str],
    videos: Mapping[str, VideoInfo] | None = None,
    held_out: SplitChoice | None = None,
) -> None:
    """Raise if a donor of the source is a held-out video of the dataset behind ``base``.

    Donors are compared by name without suffix, and by content if the donor's video is known: from ``videos``, or
    because the dataset has one of that name. A dataset without a ``FileList.csv`` in its ``root`` is not checked.

    Args:
        base: wrapped dataset.
        donors: names of all motion and appearance donors.
        videos: known videos of the donors, by name.
        held_out: splits or folds that must stay unseen; None is VAL and TEST.

    Raises:
        EchoAugmentError: names the first donor that leaks.
    """
    names = {video_name(name) for name in donors}
    if not names:
        return
    unseen = held_out_filter(held_out)
    roots = {Path(leaf.root) for leaf in leaves(base) if getattr(leaf, "root", None)}
    for root in sorted(root for root in roots if (root / FILE_LIST).is_file()):
        table = listed(root)
        hidden = {name: row for name, row in table.items() if unseen(row.split, row.fold)}
        leaked = [f"{name} among them" for name in sorted(names & hidden.keys())]
        if not leaked:
            known = {**{name: table[name] for name in names & table.keys()}, **(videos or {})}
            leaked = [f"{one} is {other}" for one, other in same_content(_files(known), _files(hidden))]
        if leaked:
            raise EchoAugmentError(
                f"{len(leaked)} donors of the synthetic clips are VAL or TEST videos of {root}: {leaked[0]}",
                "Fill a new cache with donors of the TRAIN split only",
            )


def listed(root: Path) -> dict[str, VideoInfo]:
    """Return the videos in the ``FileList.csv`` of ``root`` by name, with their splits; tracings are not read."""
    file = read_csv(root / FILE_LIST)
    places = {title: file.column(*KNOWN_COLUMNS[title]) for title in ("FileName", "Split")}
    name_at, split_at = places["FileName"], places["Split"]
    found: dict[str, VideoInfo] = {}
    for _, fields in file.rows if name_at is not None and split_at is not None else ():
        if max(name_at or 0, split_at or 0) >= len(fields):
            continue
        text = fields[name_at or 0]
        split, fold = parsed(fields[split_at or 0])
        try:
            path = inside(root / VIDEOS, text)
        except EchoAugmentError:  # the name alone still counts
            path = root / VIDEOS / "-"
        if text.strip():
            found[video_name(text)] = VideoInfo(video_name(text), path, split=split, fold=fold)
    return found


def _files(rows: Mapping[str, VideoInfo]) -> tuple[tuple[str, Path], ...]:
    return tuple((name, row.path) for name, row in sorted(rows.items()) if row.path.is_file())


@lru_cache(maxsize=16)
def same_content(
    donors: Sequence[tuple[str, Path]], held_out: Sequence[tuple[str, Path]]
) -> tuple[tuple[str, str], ...]:
    """Return pairs ``(donor, held-out video)`` that show the same video; takes 0.4 ms a video, once in a process.

    Args:
        donors: names and files of the donors.
        held_out: names and files of the held-out videos.
    """
    rows = [[VideoInfo(name, path) for name, path in some] for some in (donors, held_out)]
    try:
        leaks = find_leaks(*rows, held_out_splits=())
    except EchoAugmentError:  # a video that cannot be read cannot have been a donor
        leaks = find_leaks(*(openable(some).rows for some in rows), held_out_splits=())
    return tuple((leak.donor, leak.held_out) for leak in leaks)
