"""`VideoTable`: clips and targets of any folder of videos with a CSV, by a map of its columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.cache.errors import EchoAugmentError

from ..csv_files import VIDEO_SUFFIXES
from ..echonet import EchoNetDynamic
from ..splits import SplitChoice
from .finding import DataFiles, DataFolder, ListFile

TITLES = {
    "video": "FileName",
    "ef": "EF",
    "esv": "ESV",
    "edv": "EDV",
    "split": "Split",
    "patient": "Patient",
    "fps": "FPS",
    "frames": "NumberOfFrames",
    "height": "FrameHeight",
    "width": "FrameWidth",
}
"""What a map may name, and its title in EchoNet-Dynamic's table."""


class VideoTable(EchoNetDynamic):
    """Clips and targets of a folder of videos and a table of any column names; else as `EchoNetDynamic`.

    `SyntheticAugment` wraps it without an adapter, and its leak guard knows its VAL and TEST videos.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from echo_augment.augmentor.data.phantom import write_phantoms
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     root = write_phantoms(folder, 2, num_frames=60, workers=1, splits=(1, 0, 0))
    ...     names = sorted(path.name for path in (root / "Videos").iterdir())
    ...     lines = [f"{name};41,5;train" for name in names]
    ...     _ = (root / "list.csv").write_text("\\n".join(["clip;LVEF;set", *lines]))
    ...     columns = {"video": "clip", "ef": "LVEF", "split": "set"}
    ...     data = VideoTable(root, "list.csv", columns, videos="Videos", length=16)
    ...     len(data), data[0][0].shape, float(data[0][1])
    (2, (3, 16, 112, 112), 41.5)

    Args:
        root: folder of the dataset.
        table: CSV with a line a video; a relative path is taken in ``root``. Commas, semicolons or tabs.
        columns: for ``video``, ``ef``, ``esv``, ``edv``, ``split``, ``patient``, ``fps``, ``frames``, ``height`` or
            ``width`` the name of its column. What is not named is found where it is called as in EchoNet-Dynamic.
        split: splits as `EchoNetDynamic` takes them; ``"all"`` for a table without them.
        target_type: targets by EchoNet-Dynamic's names (``"EF"`` whatever the column is called), or other columns.
        videos: folder of the videos, or several; a relative one is taken in ``root``. Entries of the table may have
            folders of their own in front (``"site1/0017.mp4"``), but lead nowhere outside.
        tracings: CSV as VolumeTracings.csv, or None.
        suffix: of the files whose entries have none, for instance ``".mp4"``.
        options: the other arguments of `EchoNetDynamic`.

    Raises:
        EchoAugmentError: a key of ``columns`` is unknown, a column, file or folder is not there, or as
            `EchoNetDynamic`.
    """

    def __init__(
        self,
        root: str | Path,
        table: str | Path,
        columns: Mapping[str, str] | None = None,
        split: SplitChoice = "train",
        target_type: str | Sequence[str] = "EF",
        *,
        videos: str | Path | Sequence[str | Path] = ".",
        tracings: str | Path | None = None,
        suffix: str = ".avi",
        **options: Any,
    ) -> None:
        columns = {} if columns is None else columns
        if unknown := sorted(set(columns) - TITLES.keys()):
            raise EchoAugmentError(f"columns has the key {unknown[0]!r}", f"There are: {', '.join(TITLES)}")
        if suffix.lower() not in VIDEO_SUFFIXES:
            raise EchoAugmentError(f"suffix must be one of {', '.join(sorted(VIDEO_SUFFIXES))}, got {suffix!r}")
        home = Path(root)
        folders = [videos] if isinstance(videos, str | Path) else list(videos)
        for folder in folders:
            if not (home / folder).is_dir():
                raise EchoAugmentError(f"{home / folder}: there is no such folder", "videos= names the videos' folder")
        self._listing = ListFile(
            path=home / table,
            folders=tuple(home / folder for folder in folders),
            tracings=None if tracings is None else home / tracings,
            columns=tuple((TITLES[key], name) for key, name in columns.items()),
            required=("FileName",),
            suffix=suffix,
        )
        super().__init__(home, split, target_type, **options)

    def _find(self, root: DataFolder) -> DataFiles:
        home = root.root if isinstance(root, DataFiles) else Path(root)
        return DataFiles(home, (self._listing,))

    def __repr__(self) -> str:
        table = str(self._listing.path)
        return f"VideoTable({table!r}, split={self.split!r}, target_type={self.target_type}, n={len(self)})"
