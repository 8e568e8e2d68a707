"""Pixels of a multi-frame ultrasound DICOM as luma, frame by frame.

Where the file holds luma and chroma, luma is taken as it is coded: a way through RGB and back would change it by up to
3 grey levels (pydicom issue 2226).
"""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .colour import to_ycbcr
from .records import Left

if TYPE_CHECKING:
    from pydicom import Dataset

GREY = ("MONOCHROME1", "MONOCHROME2")
LUMA_FIRST = ("YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420")
AS_RGB = ("RGB", "YBR_ICT", "YBR_RCT")  # the two of JPEG 2000 are undone by its decoder
MOST_PIXELS = 16_000_000  # of a frame: no scanner draws more, but a broken header may state any number
MOST_LUMA = 400_000_000  # bytes of a clip's luma that are held at a time


@dataclass(frozen=True, slots=True)
class PixelForm:
    """How pixels are coded, checked before anything is decoded.

    Attributes:
        num_frames: frames.
        height: rows.
        width: columns.
        photometric: DICOM's Photometric Interpretation.
        samples: values a pixel.
        bits: bits that a value uses.
        signed: values may be negative.
    """

    num_frames: int
    height: int
    width: int
    photometric: str
    samples: int
    bits: int
    signed: bool


def pixel_form(dataset: "Dataset") -> PixelForm:
    """Read and check how pixels are coded.

    Raises:
        Left: no pixels, a form that no cine has, or more than one can hold.
    """
    try:
        form = PixelForm(
            int(dataset.get("NumberOfFrames") or 1),
            int(dataset.get("Rows") or 0),
            int(dataset.get("Columns") or 0),
            str(dataset.get("PhotometricInterpretation", "")).strip().upper(),
            int(dataset.get("SamplesPerPixel") or 1),
            int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 8),
            bool(dataset.get("PixelRepresentation") or 0),
        )
    except (TypeError, ValueError) as error:
        raise Left("the size of its frames is no number", "damaged") from error
    if min(form.num_frames, form.height, form.width) < 1:
        raise Left("it holds no image", "no image")
    colours = 1 if form.photometric in (*GREY, "PALETTE COLOR") else 3
    if form.photometric not in (*GREY, *LUMA_FIRST, *AS_RGB, "PALETTE COLOR") or form.samples != colours:
        raise Left(f"{form.samples} values a pixel of an unknown photometric interpretation", "photometric")
    if form.bits > 16 or form.height * form.width > MOST_PIXELS:
        raise Left(f"frames of {form.width}x{form.height} pixels of {form.bits} bits", "too large")
    if form.num_frames * form.height * form.width > MOST_LUMA:
        raise Left(
            f"{form.num_frames} frames of {form.width}x{form.height} are more than can be held at a time", "too large"
        )
    return form


def luma_frames(path: str, dataset: "Dataset", form: PixelForm) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield ``(H, W)`` luma of each frame, or ``(H, W, 3)`` luma and chroma where the file has colours.

    Args:
        path: the file.
        dataset: its header, with the palette.
        form: as `pixel_form` gives it.

    Raises:
        Left: a transfer syntax that no decoder at hand reads, or pixels that are damaged.
    """
    count = 0
    with quiet(), small_pictures():
        try:
            for values in raw_frames(path, dataset, form):
                if values.shape[:2] != (form.height, form.width):
                    raise Left("a frame has another size than the header says", "damaged")
                yield to_luma(values, dataset, form)
                count += 1
        except (Left, GeneratorExit):
            raise
        except NotImplementedError as error:
            raise Left("its transfer syntax is none that can be decoded", "syntax") from error
        except RuntimeError as error:
            raise Left(*decoder_reason(dataset, error)) from error
        except MemoryError as error:
            raise Left("its pixels do not fit into memory", "too large") from error
        except Exception as error:  # decoders raise whatever their libraries do on damaged bytes
            raise Left(f"its pixels cannot be decoded ({type(error).__name__})", "damaged") from error
    if count != form.num_frames:
        raise Left(f"{count} of {form.num_frames} frames are there", "damaged")


def raw_frames(path: str, dataset: "Dataset", form: PixelForm) -> Iterator[npt.NDArray[np.generic]]:
    """Yield each frame's values in the file's own colour space, chroma at the size of luma."""
    from pydicom.pixels.utils import iter_pixels, pixel_array

    source = dataset if "PixelData" in dataset else path
    if form.photometric == "YBR_FULL_422" and not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        # pydicom 3.0 widens halved chroma that is not compressed only where it is asked for single frames.
        yield from (pixel_array(source, index=index, as_rgb=False) for index in range(form.num_frames))
    else:
        yield from iter_pixels(source, as_rgb=False)


def decoder_reason(dataset: "Dataset", error: Exception) -> tuple[str, str, str]:
    """Tell a missing decoder from damaged pixels: reason, kind, remedy."""
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    name = "a private one" if syntax is None or syntax.name == str(syntax) else syntax.name
    if "missing dependencies" in str(error) or "No decoding plugins" in str(error):
        remedy = "Decompress the file first (dcmdjpeg of DCMTK, gdcmconv --raw), or install a decoder for it"
        return f"no decoder for its transfer syntax is installed ({name})", "syntax", remedy
    return f"its pixels cannot be decoded ({name})", "damaged", "Export it again"


def to_luma(values: npt.NDArray[np.generic], dataset: "Dataset", form: PixelForm) -> npt.NDArray[np.uint8]:
    """Return one frame's luma ``(H, W)``, or luma and chroma ``(H, W, 3)``, as uint8."""
    if form.photometric in GREY:
        grey = to_8_bits(values, form.bits, form.signed)
        return 255 - grey if form.photometric == "MONOCHROME1" else grey
    if form.photometric == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        coloured = apply_color_lut(values, dataset)
        deep = coloured.dtype != np.uint8
        return to_ycbcr(to_8_bits(coloured[..., :3], 16 if deep else 8, False))
    planes = to_8_bits(values, form.bits, form.signed)
    if form.photometric in AS_RGB:
        return to_ycbcr(planes)
    if form.photometric.startswith("YBR_PARTIAL"):  # 16 to 235
        planes[..., 0] = np.clip(np.rint((planes[..., 0].astype(np.float32) - 16) * (255 / 219)), 0, 255)
    return planes


def to_8_bits(values: npt.NDArray[np.generic], bits: int, signed: bool) -> npt.NDArray[np.uint8]:
    """Return values of ``bits`` bits as uint8 0 to 255.

    Signed values are first moved up by half their range. Of more than 8 bits the highest 8 are kept; fewer are
    stretched, so that the largest becomes 255; unsigned values of 8 bits stay as they are.
    """
    wide = values.astype(np.int32)
    if signed:
        wide += 1 << (bits - 1)
    wide = wide >> (bits - 8) if bits >= 8 else (wide * 255) // ((1 << bits) - 1)
    return np.clip(wide, 0, 255).astype(np.uint8)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's complaints about sloppy tags off the screen: what matters is refused with a reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def small_pictures() -> Iterator[None]:
    """Let Pillow refuse a picture inside the file that claims to be enormous, before it makes room for it."""
    from PIL import Image

    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MOST_PIXELS
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
