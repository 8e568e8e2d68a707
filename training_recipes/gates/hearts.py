"""Real hearts that a fill looks at: held-out ones to be kept out, and others in the form of a generated clip."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from echo_augment.augmentor.data import EchoTable, VideoInfo, open_video, probe_video
from echo_augment.augmentor.mcdm.hearts import resample_indices
from echo_augment.augmentor.video_format import VideoFormat
from echo_augment.cache.errors import EchoAugmentError


def held_out_videos(table: EchoTable) -> list[VideoInfo]:
    """The VAL and TEST videos of a data set that open: a file that does not open cannot have trained anything."""
    found = []
    for row in table.rows:
        if row.split not in ("VAL", "TEST"):
            continue
        with suppress(EchoAugmentError):
            probe_video(row.path)
            found.append(row)
    return found


def heart_clips(
    rows: Sequence[VideoInfo], *, frames: int, rate: float, size: int, what: str, short: bool = False
) -> Iterator[tuple[VideoInfo, npt.NDArray[np.uint8]]]:
    """The middle of each video as a clip ``(frames, size, size)``; videos that cannot be read are left out.

    Args:
        rows: videos.
        frames: of a clip.
        rate: frames per second of a clip.
        size: of a frame in pixels.
        what: title of the progress bar.
        short: give shorter videos as they are, instead of leaving them out.
    """
    form = VideoFormat(size=(size, size))
    for row in tqdm(rows, desc=what, unit="heart", mininterval=1.0):
        try:
            with open_video(row.path) as video:
                taken = resample_indices(len(video), row.fps if row.fps > 0 else video.fps, rate)
                if len(taken) < frames and not short:
                    continue
                start = max(0, (len(taken) - frames) // 2)
                clip = video.read(taken[start : start + frames])
        except EchoAugmentError:
            continue  # whoever asks counts what it got
        yield row, form.resize(clip)
