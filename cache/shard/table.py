"""The table of a shard: labels, provenance and checksums in typed columns, a row for each clip."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..clip import EchoClip, Provenance
from ..errors import EchoAugmentError
from ..system.files import crc32

NUMBERS = {
    "n_frames": "<i4",
    "fps": "<f8",
    "ef": "<f8",
    "ed_frame": "<i4",
    "es_frame": "<i4",
    "confidence": "<f8",
    "has_masks": "|u1",
    "synthetic": "|u1",
    "seed": "<i8",
    "frames_crc": "<u4",
    "masks_crc": "<u4",
    "row_crc": "<u4",
}
LABELS = ("fps", "ef", "ed_frame", "es_frame", "confidence")
TEXTS = ("id", "motion_donor", "appearance_donor", "sampler", "preset", "fingerprint", "label_policy", "extra")
MAX_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """The columns of one clip as plain values: numbers (all but ``row_crc``) and texts, by name."""

    numbers: dict[str, int | float | bool]
    texts: dict[str, str]


def to_row(clip: EchoClip, frames_crc: int, masks_crc: int) -> Row:
    """Return a clip's labels and provenance as plain values.

    Args:
        clip: clip to store.
        frames_crc: CRC-32 of its frames as stored.
        masks_crc: CRC-32 of its masks as stored; 0 without masks.

    Raises:
        EchoAugmentError: an empty id, a text over 4,096 bytes or with a zero byte, a seed over 63 bits, or an
            ``extra`` that is not JSON.
    """
    try:
        extra = json.dumps(clip.provenance.extra, allow_nan=False, sort_keys=True) if clip.provenance else ""
    except (TypeError, ValueError) as error:
        raise EchoAugmentError(f"clip {clip.clip_id!r}: provenance.extra is not plain JSON: {error}") from error
    source = clip.provenance or Provenance("", "", 0, label_policy="")
    numbers = {
        "n_frames": len(clip.frames),
        "fps": float(clip.fps),
        "ef": float(clip.ef),
        "ed_frame": int(clip.ed_frame),
        "es_frame": int(clip.es_frame),
        "confidence": float(clip.confidence),
        "has_masks": clip.masks is not None,
        "synthetic": clip.provenance is not None,
        "seed": int(source.seed),
        "frames_crc": frames_crc,
        "masks_crc": masks_crc,
    }
    texts = {"id": clip.clip_id, "extra": extra if source.extra else ""}
    texts |= {key: getattr(source, key) for key in TEXTS[1:-1]}
    for key, text in texts.items():
        size = len(text.encode())
        if size > MAX_TEXT or "\0" in text:
            raise EchoAugmentError(
                f"clip {clip.clip_id!r}: {key} of {size} bytes; at most {MAX_TEXT}, and no zero byte"
            )
    if not clip.clip_id:
        raise EchoAugmentError("a clip without an id cannot be stored", "Give it a clip_id")
    if not -(2**63) <= numbers["seed"] < 2**63:
        raise EchoAugmentError(f"clip {clip.clip_id!r}: seed {numbers['seed']} needs more than 63 bits")
    return Row(numbers, texts)


def to_table(rows: Sequence[Row]) -> npt.NDArray[np.void]:
    """Return the rows as a structured array ``(N,)`` with text columns just wide enough; computes ``row_crc``."""
    widths = {key: max(1, *(len(row.texts[key].encode()) for row in rows)) for key in TEXTS}
    table = np.zeros(len(rows), dtype=[*NUMBERS.items(), *((key, f"S{widths[key]}") for key in TEXTS)])
    for key in NUMBERS:
        if key != "row_crc":
            table[key] = [row.numbers[key] for row in rows]
    for key in TEXTS:
        table[key] = [row.texts[key].encode() for row in rows]
    table["row_crc"] = row_crcs(table)
    return table


def row_crcs(table: npt.NDArray[np.void]) -> npt.NDArray[np.uint32]:
    """Return the CRC-32 of each row, ``(N,)``, with its ``row_crc`` taken as zero."""
    return np.array([row_crc(row.tobytes(), table.dtype) for row in table], np.uint32)


def row_crc(row: bytes, dtype: np.dtype[Any]) -> int:
    """Return the CRC-32 of one row as it lies in the file, with its ``row_crc`` taken as zero."""
    at = dtype.fields["row_crc"][1] if dtype.fields else 0
    return crc32(row[:at] + bytes(4) + row[at + 4 :])


def is_table(dtype: np.dtype[Any]) -> bool:
    """Return whether a structured type has exactly the columns of a shard's table, with their types."""
    if dtype.names is None or set(dtype.names) != {*NUMBERS, *TEXTS}:
        return False
    numbers = all(dtype[key] == np.dtype(kind) for key, kind in NUMBERS.items())
    return numbers and all(dtype[key].kind == "S" and dtype[key].itemsize <= MAX_TEXT for key in TEXTS)


def to_clip(row: np.void, frames: Any, masks: Any, kind: type[EchoClip] = EchoClip) -> EchoClip:
    """Return the clip of a row.

    Args:
        row: row of the table.
        frames: frames of the clip, ``(T, H, W)`` uint8, or what ``kind`` takes in their place.
        masks: masks, ``(T, H, W)`` bool or None, or what ``kind`` takes in their place.
        kind: class of the clip.

    Raises:
        EchoAugmentError: a label out of its range.
    """
    values = dict(zip(row.dtype.names or (), row.item(), strict=True))
    text = {key: values[key].decode() for key in TEXTS}
    source = None
    if values["synthetic"]:
        extra = json.loads(text["extra"]) if text["extra"] else {}
        fields = {key: text[key] for key in TEXTS[1:-1]}
        source = Provenance(seed=values["seed"], extra=extra, **fields)
    return kind(
        clip_id=text["id"],
        frames=frames,
        **{key: values[key] for key in LABELS},
        masks=masks,
        provenance=source,
    )
