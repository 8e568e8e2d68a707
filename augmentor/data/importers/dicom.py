"""A DICOM cine as a clip: what is refused, its frame rate, its B-mode region and its patient.

Tags by DICOM PS3.3: C.8.5.5 (US Region Calibration), C.8.5.6 (US Image), C.7.6.5 (Cine).
"""

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .colour import box_of, count_colour
from .dicom_pixels import MOST_LUMA, PixelForm, luma_frames, pixel_form, quiet
from .frame_rate import FrameRate, choose_rate, from_times
from .records import ImportPlan, Left, ReadClip, Source
from .sector import Box, Mask, cut, find_sector, fit

if TYPE_CHECKING:
    from pydicom import Dataset

PREAMBLE = 128
OTHERS = frozenset({"CR", "CT", "DX", "ECG", "IVUS", "MG", "MR", "NM", "OCT", "OT", "PT", "RF", "SC", "SR", "XA"})
"""Modalities that a reason may name; no other text of a file is repeated."""
TWO_D, M_MODE, SPECTRUM = 1, 2, 3  # Region Spatial Format
TISSUE, COLOUR_FLOW = 1, 2  # Region Data Type
SPECTRAL_DATA = (3, 4)  # PW and CW Doppler
BEATS = (30, 250)  # plausible heart rates, beats per minute


def is_dicom(path: Path) -> bool:
    """Return whether a file is DICOM by its first bytes, with or without the preamble, whatever its name."""
    with path.open("rb") as file:
        head = file.read(PREAMBLE + 4)
    # Without a preamble the first element is of group 0002 or 0008, little endian.
    return head[PREAMBLE:] == b"DICM" or head[:2] in (b"\x02\x00", b"\x08\x00")


def find_dicoms(root: Path) -> Iterator[Source]:
    """Yield the DICOM files below a folder, or the one file that ``root`` is."""
    paths = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    for path in paths:
        if path == root or is_dicom(path):
            yield Source(path, root)


def read_dicom(source: Source, plan: ImportPlan) -> ReadClip:
    """Read one cine.

    Raises:
        Left: it is no B-mode cine of a beat at least, or damaged.
    """
    dataset = read_header(source.path)
    refuse_kind(dataset, plan.colour)
    form = pixel_form(dataset)
    if form.num_frames == 1:
        raise Left("a single frame", "single frame")
    rate = frame_rate(dataset, form.num_frames, plan.fps)
    refuse_short(dataset, form.num_frames / rate.fps, plan.beat_seconds)
    region, notes = bmode_region(dataset, form)
    luma, drawn, more = read_pixels(source.path, dataset, form, plan.colour)
    sector = find_sector(luma, region=plan.region or region, drawn=drawn)
    study = (text_of(dataset, "StudyInstanceUID"), text_of(dataset, "AccessionNumber"))
    return ReadClip(
        frames=fit(cut(luma, sector), plan.image_size),
        fps=rate.fps,
        patient=text_of(dataset, "PatientID") or text_of(dataset, "PatientName") or study[0],
        study=tuple(filter(None, study)),
        names=(source.relative, source.path.name, source.path.stem, text_of(dataset, "SOPInstanceUID")),
        masked=sector.masked,
        notes=(*rate.notes, *notes, *more, *sector.notes),
    )


def read_header(path: Path) -> "Dataset":
    """Read all tags but the pixels.

    Raises:
        Left: it is no DICOM, or damaged.
    """
    import pydicom

    with quiet():
        try:
            refuse_bomb(path)
            dataset = pydicom.dcmread(path, stop_before_pixels=not is_deflated(path), force=True)
            _ = [element.tag for element in dataset]  # decodes every value that is not decoded yet
        except Left:
            raise
        except Exception as error:  # pydicom raises whatever struct, codecs and its own checks do on damaged bytes
            raise Left(f"its tags cannot be read ({type(error).__name__})", "damaged", "Export it again") from error
    if "Rows" not in dataset and "Modality" not in dataset and "SOPClassUID" not in dataset:
        raise Left("it is no DICOM image", "no image")
    return dataset


DEFLATED = b"1.2.840.10008.1.2.1.99"


def is_deflated(path: Path) -> bool:
    """Return whether zlib packs all tags, so that pixels cannot be read alone."""
    with path.open("rb") as file:
        return DEFLATED in file.read(1024)


def refuse_bomb(path: Path) -> None:
    """Unpack a deflated file piece by piece before pydicom does it at once.

    Raises:
        Left: it unpacks to more than a cine can hold.
    """
    if not is_deflated(path):
        return
    with path.open("rb") as file:
        head = file.read(PREAMBLE + 16)
        # The first element, (0002,0000), tells how long the group of the unpacked tags is.
        file.seek(PREAMBLE + 16 + int.from_bytes(head[-4:], "little"))
        unpack, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while piece := file.read(1 << 16):
            while piece:
                size += len(unpack.decompress(piece, 1 << 20))
                piece = unpack.unconsumed_tail
                if size > MOST_LUMA:
                    raise Left("it unpacks to more than can be held", "too large")


def refuse_kind(dataset: "Dataset", colour: str) -> None:
    """Refuse what is no B-mode cine.

    Raises:
        Left: another modality, M-mode, a spectrum, or colour flow unless its box is to be dropped.
    """
    modality = text_of(dataset, "Modality").upper()
    if modality != "US":
        shown = modality if modality in OTHERS else "another one"
        raise Left(f"modality is {shown}, not US", "modality")
    for region in regions_of(dataset):
        form, data = number_of(region, "RegionSpatialFormat"), number_of(region, "RegionDataType")
        if form == M_MODE:
            raise Left("it shows an M-mode", "M-mode")
        if form == SPECTRUM or data in SPECTRAL_DATA:
            raise Left("it shows a Doppler spectrum", "Doppler")
        if data == COLOUR_FLOW and colour == "refuse":
            raise Left("it shows colour flow", "colour", "colour=drop_box blacks out its box")


def refuse_short(dataset: "Dataset", seconds: float, beat_seconds: float) -> None:
    """Refuse a clip that is shorter than one heartbeat, by the file's heart rate where it states one.

    Raises:
        Left: it is.
    """
    beats = number_of(dataset, "HeartRate")
    beat = 60 / beats if BEATS[0] <= beats <= BEATS[1] else beat_seconds
    if seconds < beat:
        raise Left(f"{seconds:.2f} s are less than one beat ({beat:.2f} s)", "short")


def frame_rate(dataset: "Dataset", num_frames: int, wanted: float | None) -> FrameRate:
    """Return the frame rate; what the Frame Increment Pointer points at is believed first.

    Raises:
        Left: no tag states one.
    """
    vector = dataset.get("FrameTimeVector")
    times = [float(one) for one in vector] if vector is not None and not isinstance(vector, str | float) else []
    by_vector, notes = from_times(times, num_frames) if times else (math.nan, ())
    milliseconds = number_of(dataset, "FrameTime")
    stated = {
        "FrameTime": 1000 / milliseconds if milliseconds > 0 else math.nan,
        "FrameTimeVector": by_vector,
        "CineRate": number_of(dataset, "CineRate"),
        "RecommendedDisplayFrameRate": number_of(dataset, "RecommendedDisplayFrameRate"),
    }
    pointer = dataset.get("FrameIncrementPointer")
    if pointer is not None and "1065" in str(pointer):  # (0018,1065) is FrameTimeVector
        stated = {"FrameTimeVector": by_vector, **stated}
    chosen = choose_rate(stated, wanted=wanted)
    return FrameRate(chosen.fps, (*chosen.notes, *notes))


def bmode_region(dataset: "Dataset", form: PixelForm) -> tuple[Box | None, tuple[str, ...]]:
    """Return the box of the one region of 2D tissue; None and a note if none can be used.

    Raises:
        Left: there are several such regions.
    """
    found = []
    for region in regions_of(dataset):
        if number_of(region, "RegionSpatialFormat") == TWO_D and number_of(region, "RegionDataType") in (
            TISSUE,
            COLOUR_FLOW,
        ):
            corners = [number_of(region, f"RegionLocation{name}") for name in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
            if all(math.isfinite(value) for value in corners):
                x0, y0, x1, y1 = (int(value) for value in corners)
                found.append((number_of(region, "RegionDataType"), (x0, y0, x1 + 1, y1 + 1)))
    tissue = sorted({box for data, box in found if data == TISSUE}) or sorted({box for _, box in found})
    if not tissue:
        return None, ("no B-mode region is stated; the sector is what moves",)
    if len(tissue) > 1:
        raise Left(f"{len(tissue)} B-mode regions", "panels", "region=[x0,y0,x1,y1] names the one to keep")
    x0, y0, x1, y1 = tissue[0]
    if not (0 <= x0 < x1 <= form.width and 0 <= y0 < y1 <= form.height):
        note = f"the stated region does not lie in frames of {form.width}x{form.height}; the sector is what moves"
        return None, (note,)
    return (x0, y0, x1, y1), ()


def read_pixels(
    path: Path, dataset: "Dataset", form: PixelForm, colour: str
) -> tuple[np.ndarray, Mask | None, tuple[str, ...]]:
    """Return luma ``(T, H, W)`` uint8, what is coloured, ``(H, W)`` bool or None, and notes.

    Raises:
        Left: colour flow, unless its box is to be dropped; or damaged pixels.
    """
    luma = np.empty((form.num_frames, form.height, form.width), np.uint8)

    def chroma() -> Iterator[np.ndarray]:
        for index, frame in enumerate(luma_frames(str(path), dataset, form)):
            if index >= form.num_frames:
                raise Left(f"more than {form.num_frames} frames are there", "damaged")
            luma[index] = frame if frame.ndim == 2 else frame[..., 0]
            if frame.ndim == 3:
                yield frame

    found = count_colour(chroma())
    if found is None:
        return luma, None, ()
    if not found.is_flow():
        return luma, found.ever, ()
    if colour == "refuse":
        raise Left("it shows colour flow", "colour", "colour=drop_box blacks out its box")
    return luma, found.ever | box_of(found.moves), ("the box of its colour flow is blacked out",)


def regions_of(dataset: "Dataset") -> "list[Dataset]":
    """Return the items of ``SequenceOfUltrasoundRegions``; none if it is damaged."""
    sequence = dataset.get("SequenceOfUltrasoundRegions")
    return [one for one in sequence if hasattr(one, "get")] if isinstance(sequence, list) or sequence else []


def number_of(dataset: "Dataset", keyword: str) -> float:
    """Return a tag's number, or NaN."""
    value = dataset.get(keyword)
    try:
        return float(value) if value is not None else math.nan
    except (TypeError, ValueError):
        return math.nan


def text_of(dataset: "Dataset", keyword: str) -> str:
    """Return a tag's text without blanks around it; empty if it is missing."""
    value = dataset.get(keyword)
    return "" if value is None else str(value).replace("\0", " ").strip()
