"""Find the tables of a dataset's folder: EchoNet-Dynamic's one, EchoNet-Pediatric's one a view, EchoNet-LVH's.

EchoNet-Pediatric (Reddy et al., 2023) has two folders, ``A4C`` and ``PSAX``, each in EchoNet-Dynamic's layout.
EchoNet-LVH (Duffy et al., 2022) has ``MeasurementsList.csv`` and its videos in folders ``Batch1``, ``Batch2``, ...
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from ..csv_files import VIDEO_SUFFIXES
from ..ef_units import EFUnit, check_unit

FILE_LIST, TRACINGS, VIDEOS = "FileList.csv", "VolumeTracings.csv", "Videos"
MEASUREMENTS = "MeasurementsList.csv"
VIEWS = ("A4C", "PSAX")
DEPTHS = ("", "*/", "*/*/")  # EchoNet-Pediatric comes as pediatric_echo_avi/pediatric_echo_avi/A4C
LAYOUT = "data.root must be a folder in EchoNet-Dynamic's layout: FileList.csv, VolumeTracings.csv and Videos/"


@dataclass(frozen=True, kw_only=True)
class ListFile:
    """A table that lists videos.

    Attributes:
        path: the CSV.
        folders: folders in which its videos lie.
        tracings: CSV of the tracings; None for none.
        columns: ``(title as in EchoNet-Dynamic, name in this file)`` of columns that are called otherwise.
        required: titles of the columns that it must have.
        suffix: of the files whose entries have none.
        view: word for the column ``View`` that all its rows get; empty for none.
        measurements: whether it has a line a measurement, as EchoNet-LVH, and not a line a video.
    """

    path: Path
    folders: tuple[Path, ...]
    tracings: Path | None = None
    columns: tuple[tuple[str, str], ...] = ()
    required: tuple[str, ...] = ("FileName", "EF")
    suffix: str = ".avi"
    view: str = ""
    measurements: bool = False

    @property
    def where(self) -> str:
        """Return the folders' names, for a message."""
        return ", ".join(folder.name for folder in self.folders)


@dataclass(frozen=True)
class DataFiles:
    """The tables of one dataset, and how they are read: whatever takes a dataset's folder takes this as well.

    Attributes:
        root: folder of the dataset.
        lists: its tables; at least one.
        ef_unit: unit of their EF; None for percent, unless the numbers look otherwise.
        follow_links: whether a video may be a symbolic link that leads out of the folder.
    """

    root: Path
    lists: tuple[ListFile, ...] = field(default_factory=tuple)
    ef_unit: EFUnit | None = None
    follow_links: bool = True

    @property
    def named(self) -> Path:
        """Return the table, or the folder if there are several, for a message."""
        return self.lists[0].path if len(self.lists) == 1 else self.root


DataFolder = str | Path | DataFiles
"""A dataset: its folder, or its tables and how they are read."""


def find_files(root: DataFolder, *, ef_unit: str | None = None, follow_links: bool = True) -> DataFiles:
    """Find the tables of a folder; what is known already is returned as it is, but for what is given beside it.

    Args:
        root: folder of the dataset, or its tables.
        ef_unit: unit of the tables' EF, as `DataFiles` holds it.
        follow_links: False refuses links that lead out of the folder.

    Raises:
        EchoAugmentError: there is no such folder, no table in it, or no folder of videos beside the table; or the unit
            is unknown.
    """
    files = root if isinstance(root, DataFiles) else _find(Path(root))
    unit = files.ef_unit if ef_unit is None else check_unit(ef_unit)
    return replace(files, ef_unit=unit, follow_links=files.follow_links and follow_links)


def _find(root: Path) -> DataFiles:
    if not root.is_dir():
        raise EchoAugmentError(f"{root}: there is no such folder", LAYOUT)
    if (root / FILE_LIST).is_file():
        return DataFiles(root, (with_videos(dynamic(root)),))
    if (root / MEASUREMENTS).is_file():
        return DataFiles(root, (measured(root),))
    for depth in DEPTHS:
        views = [
            folder for view in VIEWS for folder in sorted(root.glob(depth + view)) if (folder / FILE_LIST).is_file()
        ]
        if views:
            return DataFiles(root, tuple(with_videos(dynamic(folder, view=folder.name)) for folder in views))
    inner = sorted(path.parent for name in (FILE_LIST, MEASUREMENTS) for path in root.glob(f"*/{name}"))
    raise EchoAugmentError(f"{root}: has no {FILE_LIST}", f"{inner[0]} has one: give it" if inner else LAYOUT)


def dynamic(root: Path, view: str = "") -> ListFile:
    """Return the table of a folder in EchoNet-Dynamic's layout."""
    return ListFile(path=root / FILE_LIST, folders=(root / VIDEOS,), tracings=root / TRACINGS, view=view)


def with_videos(listing: ListFile) -> ListFile:
    """Return a table whose folders of videos are there.

    Raises:
        EchoAugmentError: one is not.
    """
    for folder in listing.folders:
        if not folder.is_dir():
            raise EchoAugmentError(f"{folder.parent}: has no folder {folder.name}", LAYOUT)
    return listing


def measured(root: Path) -> ListFile:
    """Return the table of a folder in EchoNet-LVH's layout; its videos lie in any of the folders beside it.

    Raises:
        EchoAugmentError: there are no videos.
    """
    folders = [folder for folder in sorted(root.iterdir()) if folder.is_dir() and holds_videos(folder)]
    if not folders:
        remedy = f"The videos lie in folders beside {MEASUREMENTS}: Batch1, Batch2, ..."
        raise EchoAugmentError(f"{root}: has no folder with videos", remedy)
    return ListFile(path=root / MEASUREMENTS, folders=tuple(folders), required=("FileName",), measurements=True)


def holds_videos(folder: Path) -> bool:
    """Return whether a folder itself holds a file that is a video by its suffix."""
    return any(path.suffix.lower() in VIDEO_SUFFIXES for path in folder.iterdir())
