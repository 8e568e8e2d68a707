"""How many frames a video file really holds, and whether the file is whole.

Headers are often wrong where nothing is lost: an AVI that was written to a pipe has sizes of 0 or 0xFFFFFFFF, grabbers
leave empty chunks for frames they dropped, and a trimmed MP4 keeps frames that its edit list hides. So packets are
counted, or frames decoded, and a file is truncated only if its container ends before what it lists.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import av

from echo_augment.cache.errors import EchoAugmentError

COPY_AGAIN = "Copy the file again from the data set, or drop its row from FileList.csv"
ONE_TO_ONE = frozenset({"mjpeg", "rawvideo", "png", "ffv1", "huffyuv", "ffvhuff", "utvideo"})
"""Codecs that give one frame for each packet, at once and in order. Whether a frame builds on the one before it, as
FFV1's and FFVHuff's may, is said by the stream's key-frame flags alone."""
INDEXED = ("avi", "mov")  # containers that list all packets
UNKNOWN = (0, 0xFFFFFFFF)  # sizes of a RIFF list that was never finished
SEGMENT, EBML = b"\x18\x53\x80\x67", b"\x1a\x45\xdf\xa3"


@dataclass(frozen=True, slots=True)
class Scan:
    """What a look at all packets of a video found.

    Attributes:
        frames: frames that the video gives.
        direct: whether a frame can be reached by decoding from the last key frame on; else all before it are decoded.
    """

    frames: int
    direct: bool


def scan(path: Path, container: av.container.InputContainer, stream: av.VideoStream) -> Scan:
    """Count the frames of an open video: by the container's index (no time), else by its packets or by decoding.

    Counts that take long are kept for this process, until the file's size or time changes.

    Raises:
        EchoAugmentError: the file ends before what its container lists.
    """
    state = path.stat()
    entries = list(getattr(stream, "index_entries", None) or ()) if container.format.name.startswith(INDEXED) else []
    if any(entry.pos + entry.size > state.st_size for entry in entries):
        raise _truncated(path, f"{state.st_size} bytes are there, its index lists more")
    whole = len(entries) >= stream.frames > 0 and not any(entry.is_discard for entry in entries)
    if whole and stream.codec_context.name in ONE_TO_ONE:
        return Scan(sum(entry.size > 0 for entry in entries), direct=True)
    return _scan_packets(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=65536)
def _scan_packets(path: Path, size: int, _changed: int) -> Scan:
    """Look at every packet, and decode them all unless each gives one frame."""
    packets = hidden = decoded = 0
    last = -1
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        plain = stream.codec_context.name in ONE_TO_ONE
        promised = int(stream.frames) if container.format.name == "avi" else 0
        for packet in container.demux(stream):
            if packet.size:
                if packet.is_corrupt:
                    raise _truncated(path, f"{size} bytes are there, they end inside frame {packets}")
                packets += 1
                hidden += packet.is_discard
                last = max(last, -1 if packet.dts is None else int(packet.dts))
            if not plain:
                decoded += len(packet.decode())
    # Chunks that were dropped keep their place in time, so that the last one tells how far the file goes.
    end = _promised_end(path)
    if end > size and (promised == 0 or last + 1 < promised):
        missing = f", {promised - last - 1} of {promised} frames are missing" if promised else ""
        raise _truncated(path, f"{size} bytes of {end} are there{missing}")
    if plain and hidden:
        with av.open(str(path)) as container:
            return Scan(sum(1 for _ in container.decode(video=0)), direct=False)
    return Scan(packets, direct=True) if plain else Scan(decoded, direct=False)


def ends_early(path: Path) -> bool:
    """Return whether a file that FFmpeg refuses is shorter than its own header says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
    if head[:4] == b"RIFF" and len(head) == 8 and (length := struct.unpack("<I", head[4:])[0]) not in UNKNOWN:
        return int(length) + 8 > size
    return _promised_end(path) > size


def _truncated(path: Path, how: str) -> EchoAugmentError:
    return EchoAugmentError(f"{path}: is truncated: {how}", COPY_AGAIN)


def _promised_end(path: Path) -> int:
    """Return where the frames end by an AVI's or Matroska file's own word; 0 if it has none."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            for kind, start, length in _chunks(file):
                if kind == b"LIST" and file.read(4) == b"movi":
                    return 0 if length in UNKNOWN else start + length
        elif head[:4] == EBML:
            file.seek(4)
            header = _matroska_size(file)
            file.seek(header, 1)
            if file.read(4) == SEGMENT:
                length = _matroska_size(file)
                return file.tell() + length if length else 0
    return 0


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Give kind, start and size of the chunks of a RIFF file; the file stands at the start of each."""
    place = 12
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        length = struct.unpack("<I", head[4:])[0]
        yield head[:4], place + 8, length
        place += 8 + length + length % 2


def _matroska_size(file: BinaryIO) -> int:
    """Read a size as Matroska codes it (RFC 8794, section 4); 0 if it says that it does not know."""
    first = (file.read(1) or b"\x01")[0]
    width = 9 - first.bit_length()
    if width > 8:
        return 0
    value = int.from_bytes(bytes([first & (0xFF >> width)]) + file.read(width - 1), "big")
    return 0 if value == (1 << 7 * width) - 1 else value
