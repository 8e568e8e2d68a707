"""Keep VAL and TEST videos out of training: by split or fold, by the donors' names, by their videos' content."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from echo_augment.cache.errors import EchoAugmentError

from .adapters import column
from .data.csv_files import inside, video_name
from .data.layouts.finding import FILE_LIST, DataFiles, dynamic
from .data.layouts.rows import patient_reader, read_list
from .data.records import VideoInfo
from .data.same_videos import find_leaks
from .data.selection import openable
from .data.splits import SplitChoice, is_unseen, parse_split, split_filter
from .wrapping import leaves, reached

IsHeldOut = Callable[[str, int | None], bool]
Scope = Literal["subset", "table"]


def held_out_filter(choice: SplitChoice | None) -> IsHeldOut:
    """Return ``(split, fold) -> bool``: VAL and TEST are held out, and so is what ``choice`` names.

    In a table with fold numbers these are folds 8 and 9 (`splits.FOLD_SPLITS`), unless ``choice`` names folds: then
    those, and no other fold, for cross-validation.

    Raises:
        EchoAugmentError: `splits.split_filter` does not know ``choice``.
    """
    if choice is None:
        return lambda split, fold: is_unseen(split)
    chosen, by_fold = split_filter(choice), any(fold is not None for _, _, fold in chosen_splits(choice))
    return lambda split, fold: chosen(split, fold) or (is_unseen(split) and not (by_fold and fold is not None))


def refuse_unknown_split(base: Any, choice: SplitChoice) -> None:
    """Raise if a value of ``choice`` matches no row of the tables behind ``base``, as a typo does.

    Raises:
        EchoAugmentError: names the value and the splits that there are, or no dataset behind ``base`` has splits.
    """
    rows: set[tuple[str, int | None]] = set()
    complete = False
    for leaf in leaves(base, deep=True):
        rows |= {parsed(str(text)) for text in column(leaf, "Split")}
        complete |= {word for word, _, _ in chosen_splits(getattr(leaf, "split", None))} <= {"ALL", "NONE"}
    for files in files_of(base):
        table = {(row.split, row.fold) for row in listed(files)}
        rows, complete = rows | table, complete or bool(table)
    rows.discard(("", None))
    if not rows:
        raise EchoAugmentError(
            f"held_out={choice!r}: nothing is known of the splits of the dataset's items",
            "Leave held_out out, and wrap only items that may be trained on",
        )
    for word, split, fold in chosen_splits(choice) if complete else ():
        if word != "ALL" and not any(row[1] == fold if fold is not None else row[0] == split for row in rows):
            folds = sorted(number for _, number in rows if number is not None)
            there = sorted({name for name, number in rows if number is None} | ({f"folds {folds}"} if folds else set()))
            raise EchoAugmentError(
                f"held_out={choice!r}: no row of the table is in {word}; there are {', '.join(there)}",
                "VAL and TEST are held out anyway; name the others as the table's Split column does",
            )


def refuse_held_out(base: Any, held_out: SplitChoice | None = None) -> None:
    """Raise if ``base`` is, or contains, a held-out split.

    Args:
        base: dataset to wrap.
        held_out: splits or folds that must stay unseen, beside VAL and TEST.

    Raises:
        EchoAugmentError: a dataset's ``split`` is held out, or an item that ``base`` reaches is in such a split; a
            value of ``held_out`` is no split of the dataset.
    """
    unseen = held_out_filter(held_out)
    if held_out is not None:
        refuse_unknown_split(base, held_out)
    for leaf in leaves(base, deep=True):
        for word, split, fold in chosen_splits(getattr(leaf, "split", None)):
            if unseen(split, fold):
                raise EchoAugmentError(
                    f"SyntheticAugment got the {word} split",
                    "Wrap the TRAIN split; evaluate on the bare dataset, so that scores are of real clips only. "
                    "For cross-validation name the folds that stay unseen: held_out=[8, 9]",
                )
    for part in reached(base):
        splits = [str(value) for value in column(part.leaf, "Split")]
        bad = [unseen(*parsed(text)) for text in splits]
        for place, outer in zip(part.places.tolist(), part.outer.tolist(), strict=True) if any(bad) else ():
            if place < len(bad) and bad[place]:
                which = f"item {outer}" if outer >= 0 else "an item that its wrapper may serve"
                raise EchoAugmentError(
                    f"{which} of the dataset ({part.leaf.fnames[place]}) is in the {splits[place].upper()} split",
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
    scope: Scope = "subset",
) -> None:
    """Raise if a donor of the source is a held-out video of the dataset behind ``base``.

    By default so is every other row of its table that ``base`` does not serve: whoever wraps a ``Subset`` keeps the
    rest for evaluation. Rows of its split that the dataset itself leaves out, for want of tracings or a whole file, are
    not.

    Donors are compared by name without suffix, by patient if the table says whom a video shows, and by content if the
    donor's video is known: from ``videos``, or because the dataset has one of that name. A dataset without a table that
    is known is not checked.

    Args:
        base: wrapped dataset.
        donors: names of all motion and appearance donors.
        videos: known videos of the donors, by name.
        held_out: splits or folds that must stay unseen, beside VAL and TEST.
        scope: ``"subset"``, or ``"table"`` to allow donors in rows of the table that ``base`` does not serve.

    Raises:
        EchoAugmentError: names the first donor that leaks.
    """
    names = {video_name(name) for name in donors}
    if not names:
        return
    unseen = held_out_filter(held_out)
    for files in files_of(base):
        root, rows = files.root, listed(files)
        table = {row.name: row for row in rows}
        called = as_listed(names, table.keys())
        known = {**{name: table[name] for name in called & table.keys()}, **(videos or {})}
        hidden = {row.name: row for row in rows if unseen(row.split, row.fold)}  # in any of its rows
        leaked = _leaked(called, known, hidden)
        if leaked:
            raise EchoAugmentError(
                f"{len(leaked)} donors of the synthetic clips are VAL or TEST videos of {root}, or show their "
                f"patients: {leaked[0]}",
                "Fill a new cache with donors of the TRAIN split only, and keep a patient in one split",
            )
        own = _served(base, files, table) if scope == "subset" else table.keys()
        leaked = _leaked(called, known, {name: row for name, row in table.items() if name not in own})
        if leaked:
            raise EchoAugmentError(
                f"{len(leaked)} donors of the synthetic clips are videos of {root} that the wrapped dataset does not "
                f"serve: {leaked[0]}",
                "Fill a cache with donors out of the wrapped videos only; or, if none of the others is evaluated on, "
                'allow them with donors="table"',
            )


def as_listed(names: Collection[str], table: Collection[str]) -> set[str]:
    """Return names as a table writes them where they differ in upper and lower case only."""
    written = {name.casefold(): name for name in table}
    return {name if name in table else written.get(name.casefold(), name) for name in names}


def _leaked(names: Collection[str], known: Mapping[str, VideoInfo], hidden: Mapping[str, VideoInfo]) -> list[str]:
    """Return in words which donors are hidden videos, by name, else by patient, else by content."""
    found = [f"{name} among them" for name in sorted(name for name in names if name in hidden)]
    if found or not hidden:
        return found
    patients = {row.patient: name for name, row in hidden.items() if row.patient}
    found = [
        f"{name} shows the patient of {patients[row.patient]}"
        for name, row in sorted(known.items())
        if name in names and row.patient in patients
    ]
    if found:
        return found
    return [f"{one} is {other}" for one, other in same_content(_files(known), _files(hidden))]


def _served(base: Any, files: DataFiles, table: Mapping[str, VideoInfo]) -> set[str]:
    """Return the names that ``base`` serves, and those of its split that the dataset itself leaves out."""
    served: set[str] = set()
    for part in reached(base):
        leaf = part.leaf
        if files not in files_of(leaf):
            continue
        names = [video_name(str(name)) for name in getattr(leaf, "fnames", ())]
        split = getattr(leaf, "split", None)
        chosen = split_filter("all" if split is None else split)
        served |= {name for name, row in table.items() if chosen(row.split, row.fold)} - set(names)
        served |= {names[place] for place in part.places.tolist() if place < len(names)}
    return served


def files_of(base: Any) -> list[DataFiles]:
    """Return the tables of the datasets behind ``base``, in order of their folders.

    A dataset that is none of ours is known by the tables in its ``root``; one without is not checked.
    """
    found: dict[DataFiles, None] = {}
    for leaf in leaves(base, deep=True):
        files, root = getattr(leaf, "files", None), getattr(leaf, "root", None)
        if isinstance(files, DataFiles):
            found[files] = None
        elif root and (Path(root) / FILE_LIST).is_file():
            found[DataFiles(Path(root), (dynamic(Path(root)),))] = None
    return sorted(found, key=lambda files: str(files.named))


def listed(files: DataFiles) -> list[VideoInfo]:
    """Return the videos of a dataset's tables with their splits, one for each row; tracings are not read."""
    found: list[VideoInfo] = []
    for listing in files.lists:
        file, place = read_list(replace(listing, required=()))
        if not {"FileName", "Split"} <= place.keys():
            continue
        patient_of = patient_reader(file, place)
        for _, fields in file.rows:
            if max(place["FileName"], place["Split"]) >= len(fields):
                continue
            text = fields[place["FileName"]]
            split, fold = parsed(fields[place["Split"]])
            try:
                paths = [inside(folder, text, suffix=listing.suffix) for folder in listing.folders]
            except EchoAugmentError:  # the name alone still counts
                paths = [listing.folders[0] / "-"]
            path = next((path for path in paths if path.is_file()), paths[0])
            if text.strip():
                who = patient_of(fields)
                found.append(VideoInfo(video_name(text), path, split=split, fold=fold, patient=who))
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
