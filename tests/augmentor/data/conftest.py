"""Tiny datasets in EchoNet-Dynamic's layout, with frames that the tests know."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from fakes.mini import MINI

from echo_augment.augmentor.data import write_video
from echo_augment.augmentor.data.packing import pack

HEADER = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"
TRACING_HEADER = "FileName,X1,Y1,X2,Y2,Frame"
HEIGHT, WIDTH, FRAMES = 24, 32, 40


def smooth_frames(seed: int, frames: int = FRAMES) -> np.ndarray:
    """``(T, 24, 32)`` uint8: every frame another smooth picture."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (frames, 4, 4), dtype=np.uint8)
    return np.stack([cv2.resize(picture, (WIDTH, HEIGHT)) for picture in coarse])


def tracing_lines(name: str, frame: int, half_width: int) -> list[str]:
    """A rectangle of rows 4..16 around column 15: the long axis, then 7 chords."""
    lines = [f"{name},15,3,15,17,{frame}"]
    return lines + [f"{name},{15 - half_width},{y},{15 + half_width},{y},{frame}" for y in range(4, 17, 2)]


def row(name: str, split: str = "TRAIN", *, ef: Any = 55.5, esv: Any = 44.5, edv: Any = 100.0, n: Any = FRAMES) -> str:
    return f"{name},{ef},{esv},{edv},{HEIGHT},{WIDTH},50,{n},{split}"


def opencv_frames(path: Path) -> np.ndarray:
    """``(T, H, W, 3)`` RGB by OpenCV: what `echonet` reads, by none of our code."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        there, picture = capture.read()
        if not there:
            return np.stack(frames)
        frames.append(picture[..., ::-1])


def remux(source: Path, target: Path) -> Path:
    """The same coded pictures in another container, so that no header byte is the same."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return target


Maker = Callable[..., Path]


def make(
    root: Path,
    rows: Sequence[str],
    videos: Sequence[str] = ("A", "B", "C", "D", "V", "T"),
    *,
    tracings: Sequence[str] | None = None,
    header: str = HEADER,
    tracing_header: str = TRACING_HEADER,
) -> Path:
    for seed, name in enumerate(videos):
        write_video(root / "Videos" / f"{name}.avi", smooth_frames(seed), 50)
    (root / "FileList.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    if tracings is None:
        tracings = [line for name in videos for line in tracing_lines(f"{name}.avi", 30, 4)]
        tracings += [line for name in videos for line in tracing_lines(f"{name}.avi", 3, 8)]
    (root / "VolumeTracings.csv").write_text("\n".join([tracing_header, *tracings]) + "\n", encoding="utf-8")
    return root


GOOD_ROWS = [row("A"), row("B", ef=30), row("C", ef=62.25), row("D"), row("V", "VAL"), row("T", "TEST")]


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four TRAIN, one VAL, one TEST video; every one traced in frame 30 (small) and 3 (large). Do not change it."""
    return make(tmp_path_factory.mktemp("echonet"), GOOD_ROWS)


@pytest.fixture(scope="session")
def packed(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``good`` in the clip store. Do not change it."""
    folder = tmp_path_factory.mktemp("packed")
    pack(good, folder)
    return folder


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """``maker(rows, videos, ...)`` writes a dataset of the test's own and returns its root."""

    def write(rows: Sequence[str] = tuple(GOOD_ROWS), videos: Sequence[str] = ("A", "B", "V"), **others: Any) -> Path:
        return make(tmp_path / "data", rows, videos, **others)

    return write


@pytest.fixture(scope="session")
def mini() -> Path:
    """Six real echocardiograms, where they lie beside the checkout."""
    if not MINI.is_dir():
        pytest.skip(f"the real clips are not at {MINI}")
    return MINI


@pytest.fixture
def tools() -> Any:
    """The helpers of this file, for tests that build their own input."""

    class Tools:
        row = staticmethod(row)
        tracing_lines = staticmethod(tracing_lines)
        smooth_frames = staticmethod(smooth_frames)
        opencv_frames = staticmethod(opencv_frames)
        remux = staticmethod(remux)
        good_rows = tuple(GOOD_ROWS)

    return Tools
