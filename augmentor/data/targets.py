"""What an item of a dataset holds beside its clip: labels, columns, traced frames and their masks."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError

from .layouts.rows import typed_columns
from .records import VideoInfo
from .tracing import Tracing, tracing_mask

# Place of the frame among the traced ones, which are ordered small (end-systole) to large (end-diastole).
FRAME_TARGETS = {"LargeFrame": -1, "SmallFrame": 0}
TRACE_TARGETS = {"LargeTrace": -1, "SmallTrace": 0}
INDEX_TARGETS = {"LargeIndex": -1, "SmallIndex": 0}
TRACED = frozenset({*FRAME_TARGETS, *TRACE_TARGETS, *INDEX_TARGETS})

Pictures = Mapping[str, npt.NDArray[np.float32]]
Target = str | int | np.float32 | npt.NDArray[np.float32]


class Targets:
    """The targets of `EchoNetDynamic`, by name and item.

    Args:
        rows: videos of the dataset.
        header: columns of FileList.csv.
        tracings: tracings by video name and frame, small (end-systolic) frame first.
        labelled: False gives 0 for every column, as `echonet` does for videos without a table.

    Attributes:
        outcome: fields of each row, in the order of ``header``; columns of numbers as numbers.
        trace: file name -> frame -> tracing.
        frames: file name -> traced frames, small first.
    """

    def __init__(
        self,
        rows: Sequence[VideoInfo],
        header: Sequence[str],
        tracings: Mapping[str, dict[int, Tracing]],
        *,
        labelled: bool = True,
    ) -> None:
        self._rows, self._header, self._labelled = rows, list(header), labelled
        self.outcome = typed_columns([row.values for row in rows])
        self.trace = {row.file_name: tracings[row.name] for row in rows if row.name in tracings}
        self.frames = {name: list(frames) for name, frames in self.trace.items()}

    def pictured(self, names: Sequence[str], index: int, count: int) -> dict[str, int]:
        """Return the frame that each picture among the targets ``names`` shows, and check those of the other targets.

        Args:
            names: names of targets.
            index: number of the item.
            count: frames that the video has.

        Raises:
            EchoAugmentError: the video has no tracing, or one beyond its end.
        """
        for name, which in {**INDEX_TARGETS, **TRACE_TARGETS}.items():
            if name in names:
                self._frame(index, which, count)
        return {name: self._frame(index, which, count) for name, which in FRAME_TARGETS.items() if name in names}

    def value(self, name: str, index: int, shape: tuple[int, int], pictures: Pictures) -> Target:
        """Return one target of an item.

        Args:
            name: name of the target.
            index: number of the item.
            shape: ``(H, W)`` of the video.
            pictures: normalised pictures of the targets that `pictured` names.

        Raises:
            EchoAugmentError: the target needs a tracing, and the video has none.
        """
        row = self._rows[index]
        if name == "Filename":
            return row.file_name
        if name in pictures:
            return pictures[name]
        if name in INDEX_TARGETS:
            return self._frame(index, INDEX_TARGETS[name])
        if name in TRACE_TARGETS:
            return tracing_mask(self.trace[row.file_name][self._frame(index, TRACE_TARGETS[name])], shape)
        if not self._labelled:
            return np.float32(0)
        value = self.outcome[index][self._header.index(name)]
        return value if isinstance(value, str) else np.float32(value)

    def _frame(self, index: int, which: int, count: int | None = None) -> int:
        """Return the number of the small (0) or large (-1) traced frame."""
        row = self._rows[index]
        if row.file_name not in self.frames:
            raise EchoAugmentError(
                f"{row.path}: has no tracing", "Set require_tracings=True, or ask for targets that need none"
            )
        frame = self.frames[row.file_name][which]
        if count is not None and frame >= count:
            raise EchoAugmentError(f"{row.path}: is traced in frame {frame}, it has {count} frames", "Mend the tracing")
        return frame
