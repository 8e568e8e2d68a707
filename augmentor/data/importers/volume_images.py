"""Sequences and masks as medical volume files: NIfTI by nibabel, and MetaImage (MHD with RAW or ZRAW) by hand."""

import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from .dicom_pixels import MOST_LUMA, MOST_PIXELS
from .records import Left

SUFFIXES = (".nii.gz", ".nii", ".mhd", ".mha")
ELEMENTS = {
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_USHORT": "u2",
    "MET_SHORT": "i2",
    "MET_UINT": "u4",
    "MET_INT": "i4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
LONGEST_HEADER = 20_000  # bytes; real ones have under 1,000


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Frames and the size of a pixel.

    Attributes:
        frames: ``(T, H, W)`` in the file's own type.
        spacing: ``(dy, dx)`` in mm.
    """

    frames: npt.NDArray[np.generic]
    spacing: tuple[float, float]


def find_volume(folder: Path, stem: str) -> Path | None:
    """Return the file ``stem`` of a folder in the first format that is there; None if none is."""
    return next((path for suffix in SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()), None)


def read_volume(path: Path) -> Volume:
    """Read a 2D image or a sequence of them.

    Raises:
        Left: the file is damaged, or its image has another number of axes or too many pixels.
    """
    try:
        frames, spacing = _nifti(path) if ".nii" in path.suffixes[-2:] else _meta(path)
    except Left:
        raise
    except Exception as error:  # zlib, struct and nibabel raise all sorts of things on damaged bytes
        raise Left(f"its images cannot be read ({type(error).__name__})", "damaged", "Copy it again") from error
    if not all(np.isfinite(spacing)) or min(spacing) <= 0:
        raise Left("the size of its pixels is not above 0", "damaged")
    return Volume(frames, spacing)


def _nifti(path: Path) -> tuple[npt.NDArray[np.generic], tuple[float, float]]:
    import nibabel

    image = nibabel.load(path)
    if not isinstance(image, nibabel.spatialimages.SpatialImage):
        raise Left("it is no NIfTI image", "damaged")
    shape = tuple(int(side) for side in image.shape)
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    check_shape(shape)
    values = np.asanyarray(image.dataobj).reshape(shape)  # x, y, t
    zooms = image.header.get_zooms()
    values = values[..., None] if values.ndim == 2 else values
    return values.transpose(2, 1, 0), (float(zooms[1]), float(zooms[0]))


def _meta(path: Path) -> tuple[npt.NDArray[np.generic], tuple[float, float]]:
    with path.open("rb") as file:
        head = file.read(LONGEST_HEADER)
    end = head.find(b"\n", head.find(b"ElementDataFile")) + 1
    if b"ElementDataFile" not in head or end == 0:
        raise Left("it has no MetaImage header", "damaged")
    pairs = (line.split("=", 1) for line in head[:end].decode("ascii", "replace").splitlines() if "=" in line)
    tags = {key.strip(): value.strip() for key, value in pairs}
    sides = [int(side) for side in tags["DimSize"].split()]
    while len(sides) > 2 and sides[-1] == 1:
        sides.pop()
    check_shape(tuple(sides))
    order = ">" if tags.get("BinaryDataByteOrderMSB", tags.get("ElementByteOrderMSB", "")).lower() == "true" else "<"
    kind = np.dtype(order + ELEMENTS[tags["ElementType"]])
    size = int(np.prod(sides)) * kind.itemsize
    data = pixel_bytes(path, tags["ElementDataFile"], end, size, tags.get("CompressedData", "").lower() == "true")
    spacing = [float(side) for side in tags.get("ElementSpacing", tags.get("ElementSize", "1 1")).split()]
    values = np.frombuffer(data, kind).reshape(sides[::-1])  # the last axis of the file is the first here
    return values if values.ndim == 3 else values[None], (spacing[1], spacing[0])


def pixel_bytes(path: Path, name: str, start: int, size: int, packed: bool) -> bytes:
    """Return the bytes of a MetaImage's pixels.

    Args:
        path: file of the header.
        name: file of the pixels, or ``LOCAL`` if they follow the header.
        start: byte at which they follow it.
        size: number of bytes, unpacked.
        packed: whether zlib packed them.

    Raises:
        Left: the name leads outside the folder, or the number of bytes is another.
    """
    if name != "LOCAL" and PurePosixPath(name.replace("\\", "/")).name != name:
        raise Left("its header names a file in another folder", "damaged")
    with (path if name == "LOCAL" else path.parent / name).open("rb") as file:
        file.seek(start if name == "LOCAL" else 0)
        data = zlib.decompressobj().decompress(file.read(size + 1_000_000), size) if packed else file.read(size)
    if len(data) != size:
        raise Left(f"it holds {len(data)} of {size} bytes", "damaged", "Copy it again")
    return data


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise if ``shape`` is no image or sequence of images.

    Raises:
        Left: it has not two or three axes, an empty one, or too many pixels.
    """
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise Left(f"an image of {len(shape)} axes", "damaged")
    # Eight bytes a value are the most that a file can ask for.
    if shape[0] * shape[1] > MOST_PIXELS or int(np.prod(shape, dtype=np.int64)) * 8 > MOST_LUMA:
        raise Left(f"images of {' x '.join(map(str, shape))} pixels", "too large")


def as_grey(frames: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Return grey levels as uint8: values within 0 to 255 as they are, others scaled from their own range.

    Raises:
        Left: a value is not finite.
    """
    values = np.asarray(frames, np.float32)
    if not np.isfinite(values).all():
        raise Left("its grey levels are not finite", "damaged")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 255:
        values = (values - low) * (255 / (high - low))
    return np.rint(values).astype(np.uint8)
