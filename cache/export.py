"""Export a cache for scripts that cannot read it: to EchoNet-Dynamic's layout, or to tar files for `webdataset`."""

import csv
import io
import json
import math
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from .arguments import check_whole
from .clip import EchoClip, refuse_real
from .errors import EchoAugmentError
from .store import ClipStore
from .system.files import atomic_path, write_json

WriteVideo: TypeAlias = Callable[[Path, npt.NDArray[np.uint8], float], object]
EXPORTED = "export.json"
LIST = ("FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split")
TRACINGS = ("FileName", "X1", "Y1", "X2", "Y2", "Frame")


def export_echonet(
    store: ClipStore,
    out: str | Path,
    write_video: WriteVideo,
    *,
    split: str = "TRAIN",
    places: Sequence[int] | None = None,
) -> int:
    """Write ``Videos/<id>.avi``, ``FileList.csv`` and ``VolumeTracings.csv``.

    ESV and EDV stay empty: a generated clip has no pixel size in centimetres. Tracings come from the clips' masks at
    the ED and ES frame; the ``echonet`` package skips clips without tracings.

    Args:
        store: cache to export.
        out: folder to write; made if missing. Videos in it are kept, so that an export can be resumed.
        write_video: called with path, frames ``(T, H, W)`` uint8 and frames per second; must write atomically.
        split: split written for every clip.
        places: positions of the clips to export; None for all. Videos of the others in ``out`` are deleted.

    Returns:
        Number of clips with tracings.

    Raises:
        EchoAugmentError: a damaged clip, a store of real clips, an id that is no file name, or other clips in ``out``.
    """
    refuse_real(store.folder, store.fingerprint)
    videos = Path(out) / "Videos"
    _mark(Path(out), store.fingerprint)
    videos.mkdir(parents=True, exist_ok=True)
    rows, lines, traced = [], list[tuple[Any, ...]](), 0
    kept = range(len(store)) if places is None else places
    for gone in set(range(len(store))) - set(kept):
        (videos / f"{store.ids[gone]}.avi").unlink(missing_ok=True)
    for place in kept:
        clip = store[place]
        if not re.fullmatch(r"[\w.~-]+", clip.clip_id) or clip.clip_id.startswith("."):
            raise EchoAugmentError(f"clip id {clip.clip_id!r} cannot be a file name")
        path = videos / f"{clip.clip_id}.avi"
        if not path.exists():
            write_video(path, clip.frames, clip.fps)
        count, height, width = clip.frames.shape
        ef = "" if np.isnan(clip.ef) else clip.ef
        rows.append((clip.clip_id, ef, "", "", height, width, clip.fps, count, split))
        new = list(_tracing_rows(clip))
        lines += new
        traced += bool(new)
    _write(Path(out) / "FileList.csv", LIST, rows)
    _write(Path(out) / "VolumeTracings.csv", TRACINGS, lines)
    return traced


def _mark(out: Path, fingerprint: str) -> None:
    """Write down whose clips an export holds; raise if it holds others, whose videos may have the same names."""
    mark = out / EXPORTED
    if mark.is_file():
        found = json.loads(mark.read_text(encoding="utf-8")).get("fingerprint")
    else:
        found = None if any((out / "Videos").glob("*")) else fingerprint
    if found != fingerprint:
        whose = "videos of unknown origin" if found is None else f"clips of generator {found!r}"
        raise EchoAugmentError(
            f"{out} holds {whose}, the cache has those of {fingerprint!r}", "Export to an empty folder"
        )
    write_json(mark, {"fingerprint": fingerprint})


def _tracing_rows(clip: EchoClip) -> Iterator[tuple[Any, ...]]:
    if clip.masks is None:
        return
    areas = clip.masks.sum(axis=(1, 2))
    ed = clip.ed_frame if clip.ed_frame >= 0 else int(areas.argmax())
    es = clip.es_frame if clip.es_frame >= 0 else int(areas.argmin())
    if ed == es or min(areas[ed], areas[es]) < 20:
        return
    for frame in sorted((ed, es), key=lambda frame: areas[frame]):  # echonet takes the last one for the larger
        for line in trace_mask(clip.masks[frame]):
            yield (f"{clip.clip_id}.avi", *(round(float(value), 3) for value in line), frame)


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


INDEX = "index.json"


def export_webdataset(
    store: ClipStore, out: str | Path, *, shard_clips: int = 256, places: Sequence[int] | None = None
) -> list[str]:
    """Write ``clips-000000.tar``, ... and ``index.json``.

    A clip is written as the members ``<key>.json`` (labels and provenance), ``<key>.frames.npy`` (``(T, H, W)`` uint8)
    and, if it has masks, ``<key>.masks.npy`` (``(T, H, W)`` bool). ``key`` is the clip's id; dots and characters that
    a file name cannot hold are percent-encoded. In `webdataset`::

        webdataset.WebDataset("clips-{000000..000003}.tar").decode().to_tuple("frames.npy", "json")

    The same cache gives the same bytes.

    Args:
        store: cache to export.
        out: folder to write; made if missing.
        shard_clips: highest number of clips in a tar file.
        places: positions of the clips to export; None for all.

    Returns:
        Names of the tar files.

    Raises:
        EchoAugmentError: a damaged clip, a store of real clips, a folder with tar files in it, a size below 1.
    """
    out = Path(out)
    refuse_real(store.folder, store.fingerprint)
    check_whole("shard_clips", shard_clips, 1)
    if any(out.glob("clips-*.tar")):
        raise EchoAugmentError(f"{out} holds tar shards already", "Export to an empty folder")
    names = []
    kept = range(len(store)) if places is None else list(places)
    for first in range(0, len(kept), shard_clips):
        names.append(f"clips-{first // shard_clips:06d}.tar")
        with atomic_path(out / names[-1]) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
            for index in kept[first : first + shard_clips]:
                for name, data in members(store[index]):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    write_json(out / INDEX, {"shards": names, "clips": len(kept), "fingerprint": store.fingerprint})
    return names


def key_of(clip_id: str) -> str:
    """Return the key of a clip: its id, percent-encoded but for letters, digits, ``_``, ``-`` and ``~``."""
    return quote(clip_id, safe="").replace(".", "%2E")


def members(clip: EchoClip) -> Iterator[tuple[str, bytes]]:
    """Yield ``(name, content)`` of the files of one clip."""
    labels = {name: getattr(clip, name) for name in ("clip_id", "fps", "ed_frame", "es_frame", "confidence")}
    labels["ef"] = None if math.isnan(clip.ef) else clip.ef
    labels["provenance"] = clip.provenance.to_json() if clip.provenance else None
    key = key_of(clip.clip_id)
    yield f"{key}.json", json.dumps(labels, allow_nan=False).encode()
    yield f"{key}.frames.npy", _npy(clip.frames)
    if clip.masks is not None:
        yield f"{key}.masks.npy", _npy(clip.masks)


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()


CHORDS = 20


def trace_mask(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return long axis and 20 chords of a mask, as in EchoNet-Dynamic's ``VolumeTracings.csv`` (Ouyang et al., 2020).

    The long axis is the mask's principal axis, from its upper end (the apex in an apical view) to its lower end; the
    chords cross it at right angles in the middle of 20 slices of equal height.

    Args:
        mask: ``(H, W)`` bool.

    Returns:
        x1, y1, x2, y2 in pixels, ``(21, 4)``: the long axis, then the chords from apex to base.

    Raises:
        EchoAugmentError: a mask of fewer than 20 pixels.
    """
    y, x = np.nonzero(mask)
    if len(x) < CHORDS:
        raise EchoAugmentError(f"a mask of {len(x)} pixels is too small for a tracing")
    points = np.stack([x, y], axis=1).astype(float)
    centre = points.mean(axis=0)
    axis = np.linalg.eigh(np.cov((points - centre).T))[1][:, -1]
    axis = axis if axis[1] >= 0 else -axis  # downwards
    across = np.array([-axis[1], axis[0]])
    along, aside = (points - centre) @ axis, (points - centre) @ across
    low, high = along.min() - 0.5, along.max() + 0.5
    height = (high - low) / CHORDS
    lines = [np.concatenate([centre + low * axis, centre + high * axis])]
    for k in range(CHORDS):
        at = low + (k + 0.5) * height
        near = aside[np.abs(along - at) <= max(height / 2, 0.75)]
        if not len(near):  # a mask in pieces has no chord here
            near = np.zeros(1)
        ends = near.max() + 0.5, near.min() - 0.5
        lines.append(np.concatenate([centre + at * axis + end * across for end in ends]))
    return np.array(lines)
