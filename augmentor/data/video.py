"""Read whole videos or a few frames, count frames, and write EchoNet's kind of AVI.

EchoNet-Dynamic ships MJPG AVIs of grey frames. Every MJPG packet holds one frame, so that only wanted frames are
decoded, and what they build on by the stream's own key-frame flags. Videos whose codec reorders or hides frames (H.264,
VP9, ...) are decoded in order up to the last wanted frame. What decodes counts (`containers.scan`), whatever the header
promises: chunks that a grabber dropped and frames that an edit list cuts off are not there.

Grey means luma, which on EchoNet's files equals the green channel of OpenCV's reading bit for bit. Their colour
planes are not quite neutral (red and blue differ from green by up to 2 of 255). To match a reader that keeps three
channels, as `echonet` does, use ``rgb=True``: it equals OpenCV's frames in RGB order bit for bit.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from echo_augment.cache.arguments import check_number, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path

from .containers import COPY_AGAIN, Scan, ends_early, scan

Frames = npt.NDArray[np.uint8]


def _one_thread() -> dict[str, int]:
    """Return the option that keeps colour conversion in one thread (4x as fast on small frames), if PyAV has it."""
    try:
        VideoReformatter().reformat(av.VideoFrame(2, 2, "gray"), format="rgb24", threads=1)
    except TypeError:
        return {}
    return {"threads": 1}


ONE_THREAD = _one_thread()
MAX_FPS_DENOMINATOR = 100_000


class VideoFile:
    """An open video; use it by ``with open_video(path) as video``.

    Attributes:
        path: path of the file.
        fps: frames per second, positive.
        shape: ``(H, W)`` in pixels.
    """

    def __init__(self, path: Path, container: av.container.InputContainer) -> None:
        self.path = path
        self._container = container
        if not container.streams.video:
            raise EchoAugmentError(f"{path}: holds no video stream", COPY_AGAIN)
        self._stream = container.streams.video[0]
        if self._stream.codec_context is None:
            raise EchoAugmentError(f"{path}: is coded in a way that FFmpeg does not know", COPY_AGAIN)
        # Data loaders bring one process a core: threads inside each would only fight. A frame takes 0.1 ms anyway.
        self._stream.codec_context.thread_count = 1
        # One converter for all frames: to_ndarray(format=...) makes a new one each time, at more than decoding's cost.
        self._converter = VideoReformatter()
        self.fps = float(self._stream.average_rate or self._stream.guessed_rate or 0)
        self.shape = (int(self._stream.height), int(self._stream.width))
        if 0 in self.shape:
            raise EchoAugmentError(f"{path}: frame size is {self.shape[1]}x{self.shape[0]}", COPY_AGAIN)

        self._scan: Scan | None = None

    @property
    def scan(self) -> Scan:
        """Return how many frames there are and how they can be reached; looked up once.

        Raises:
            EchoAugmentError: the file is truncated.
        """
        if self._scan is None:
            self._scan = scan(self.path, self._container, self._stream)
        return self._scan

    def __len__(self) -> int:
        """Return the number of frames that decode."""
        return self.scan.frames

    def read(self, wanted: Sequence[int] | npt.NDArray[np.integer] | None = None, *, rgb: bool = False) -> Frames:
        """Return the frames ``wanted`` in that order (repeats allowed), or all.

        Returns:
            ``(N, H, W)`` uint8, or ``(N, H, W, 3)`` with ``rgb``.

        Raises:
            EchoAugmentError: an index is outside the video, or frames are missing or do not decode.
        """
        count = len(self)
        if count == 0:
            raise EchoAugmentError(f"{self.path}: has no frames", COPY_AGAIN)
        order = np.arange(count) if wanted is None else np.asarray(wanted, dtype=np.int64).reshape(-1)
        if len(order) and (order.min() < 0 or order.max() >= count):
            bad = order.min() if order.min() < 0 else order.max()
            raise EchoAugmentError(f"{self.path}: frame {bad} asked for, the video has frames 0..{count - 1}")
        channels = (3,) if rgb else ()
        unique, position = np.unique(order, return_inverse=True)
        frames = np.empty((len(unique), *self.shape, *channels), np.uint8)
        done = 0
        if len(unique):
            for image in self._decode(set(unique.tolist()), int(unique[-1])):
                frames[done] = self._pixels(image, rgb)
                done += 1
        if done < len(unique):
            raise EchoAugmentError(
                f"{self.path}: is damaged: it has packets for {count} frames, frame {unique[done]} does not decode",
                COPY_AGAIN,
            )
        return frames if wanted is None else frames[position.reshape(-1)]

    def _decode(self, wanted: set[int], last: int) -> Iterator[av.VideoFrame]:
        """Decode the frames ``wanted`` in ascending order, up to ``last``."""
        packets = self._container.demux(self._stream)
        if not self.scan.direct:
            images = (image for packet in packets for image in packet.decode())
            for index, image in zip(range(last + 1), images, strict=False):
                if index in wanted:
                    yield image
            return
        needed: list[av.Packet[av.VideoStream]] = []  # from the last key frame, or the last decoded packet, on
        index = 0
        for packet in packets:
            if packet.size == 0:
                continue
            if packet.is_keyframe:
                needed.clear()
            needed.append(packet)
            if index in wanted:
                decoded = [image for one in needed for image in one.decode()]
                if len(decoded) != len(needed):
                    return
                yield decoded[-1]
                needed.clear()
            index += 1
            if index > last:
                return

    def _pixels(self, image: av.VideoFrame, rgb: bool) -> Frames:
        """Return one frame as an array; luma as it is coded if the codec uses the full range."""
        if (image.height, image.width) != self.shape:
            raise EchoAugmentError(
                f"{self.path}: frames change size from {self.shape[1]}x{self.shape[0]} to {image.width}x{image.height}"
            )
        if rgb:
            return np.asarray(self._converter.reformat(image, format="rgb24", **ONE_THREAD).to_ndarray(), np.uint8)
        if image.format.name.startswith("yuvj"):
            plane = image.planes[0]
            padded = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            return padded[: image.height, : image.width]
        return np.asarray(self._converter.reformat(image, format="gray", **ONE_THREAD).to_ndarray(), np.uint8)


@contextmanager
def open_video(path: str | Path) -> Iterator[VideoFile]:
    """Open a video for reading.

    Raises:
        EchoAugmentError: the file is missing, empty, truncated or no video, or does not decode while it is read.
    """
    path = Path(path)
    if not path.is_file():
        if path.is_symlink():
            where = f"{path}: is a link to {path.readlink()}, which is not there"
            raise EchoAugmentError(where, "Fetch the file (datalad get, git annex get, dvc pull), or mend the link")
        what = "is a folder, not a video" if path.is_dir() else "there is no such video"
        raise EchoAugmentError(f"{path}: {what}", "Check data.root and the FileName column of FileList.csv")
    try:
        if path.stat().st_size == 0:
            raise EchoAugmentError(f"{path}: is empty (0 bytes)", COPY_AGAIN)
        with av.open(str(path)) as container:
            yield VideoFile(path, container)
    except av.FFmpegError as error:
        if ends_early(path):
            raise EchoAugmentError(f"{path}: is truncated, and cannot be read as a video", COPY_AGAIN) from error
        raise EchoAugmentError(f"{path}: cannot be read as a video ({error.strerror})", COPY_AGAIN) from error
    except OSError as error:
        raise EchoAugmentError(
            f"{path}: cannot be read ({error.strerror or error})", "Check its permissions"
        ) from error


def read_video(path: str | Path, *, rgb: bool = False) -> tuple[Frames, float]:
    """Read all frames of a video.

    Args:
        path: any video that FFmpeg reads.
        rgb: return three channels, equal to OpenCV's, instead of luma.

    Returns:
        ``(T, H, W)`` uint8 luma, or ``(T, H, W, 3)`` with ``rgb``; and frames per second.

    Raises:
        EchoAugmentError: the file is missing, empty, truncated, has no frames or does not decode.
    """
    with open_video(path) as video:
        return video.read(rgb=rgb), video.fps


def read_frames(
    path: str | Path, indices: Sequence[int] | npt.NDArray[np.integer], *, rgb: bool = False
) -> npt.NDArray[np.uint8]:
    """Read the frames ``indices`` of a video, in that order, decoding no more than needed.

    Returns:
        ``(len(indices), H, W)`` uint8 luma, or ``(len(indices), H, W, 3)`` with ``rgb``.

    Raises:
        EchoAugmentError: the file is bad as in `read_video`, or an index is outside the video.
    """
    with open_video(path) as video:
        return video.read(indices, rgb=rgb)


def count_frames(path: str | Path) -> int:
    """Count the frames that decode; EchoNet's kind of video is not decoded for it (`containers.scan`).

    Raises:
        EchoAugmentError: the file is missing, empty, truncated, unreadable or has no frames.
    """
    with open_video(path) as video:
        count = len(video)
    if count == 0:
        raise EchoAugmentError(f"{path}: has no frames", COPY_AGAIN)
    return count


def write_video(path: str | Path, frames: npt.NDArray[np.uint8], fps: float, *, quantiser: int = 2) -> None:
    """Write grey frames as an MJPG AVI, as EchoNet-Dynamic ships them, atomically.

    The same frames give the same bytes on the same FFmpeg. Reading back gives luma within a few grey levels (45 dB or
    better on echocardiograms), and exactly neutral colour planes.

    Args:
        path: file to write; its folder is made if missing.
        frames: ``(T, H, W)`` uint8, at least one frame.
        fps: frames per second, positive.
        quantiser: FFmpeg's scale, 1 (best) to 31; 2 makes files about as large as EchoNet's.

    Raises:
        EchoAugmentError: frames, fps or quantiser are not as above.
    """
    path = Path(path)
    if frames.ndim != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise EchoAugmentError(f"{path}: frames must be (T, H, W) uint8, got {frames.shape} {frames.dtype}")
    check_number(f"{path}: fps", fps, 0, above_low=True)
    check_whole(f"{path}: quantiser", quantiser, 1, 31)
    _, height, width = frames.shape
    rate = Fraction(float(fps)).limit_denominator(MAX_FPS_DENOMINATOR)
    with (
        atomic_path(path) as temporary,
        # bitexact keeps the library's version out of the file
        av.open(str(temporary), "w", format="avi", options={"fflags": "+bitexact"}) as container,
    ):
        stream = container.add_stream("mjpeg", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        context = stream.codec_context
        context.qmin = context.qmax = quantiser
        context.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(_neutral(frame)))
        container.mux(stream.encode())


def _neutral(frame: Frames) -> av.VideoFrame:
    """Make a grey ``(H, W)`` frame with neutral colour planes, its rows padded as FFmpeg wants them."""
    height, width = frame.shape
    image = av.VideoFrame(width, height, "yuvj420p")
    for number, plane in enumerate(image.planes):
        rows = np.full((plane.height, plane.line_size), 128, np.uint8)
        if number == 0:
            rows[:, :width] = frame
        plane.update(rows.tobytes())
    return image
