"""Cines as scanners write them: a beating sector, letters and an ECG around and over it, in every form of DICOM."""

import io
from pathlib import Path

import cv2
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

ULTRASOUND = "1.2.840.10008.5.1.4.1.1.3.1"
LETTERS = "DOE JANE 1957-03-02"


def sector_mask(height: int = 240, width: int = 320) -> np.ndarray:
    """The fan of a phased array: apex on top, 80 degrees wide."""
    y, x = np.mgrid[:height, :width]
    across, down = x - width / 2, y - height * 0.06
    far = np.hypot(across, down)
    return (np.abs(np.arctan2(across, down)) < np.radians(40)) & (far > 8) & (far < height * 0.8)


def beating(frames: int = 30, height: int = 240, width: int = 320, seed: int = 0) -> np.ndarray:
    """Luma ``(T, H, W)`` of a sector whose speckle moves with a beat, on black."""
    random = np.random.default_rng(seed)
    speckle = cv2.GaussianBlur(random.gamma(1.2, 40, (height, width)).astype(np.float32), (5, 3), 0)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    mask, result = sector_mask(height, width), np.zeros((frames, height, width), np.uint8)
    for index in range(frames):
        beat = np.float32(1 + 0.06 * np.sin(2 * np.pi * index / 25))
        centre = width / 2, height / 2
        moved = cv2.remap(speckle, (x - centre[0]) * beat + centre[0], (y - centre[1]) * beat + centre[1], 1)
        wall = 1 - 0.7 * np.exp(-(((x - centre[0]) / (40 * beat)) ** 2) - ((y - centre[1]) / (55 * beat)) ** 2)
        noise = random.normal(0, 4, (height, width))
        result[index] = np.where(mask, np.clip(moved * wall * 1.2 + 12 + noise, 0, 255), 0)
    return result


def with_letters(
    luma: np.ndarray, text: str = LETTERS, place: tuple[int, int] = (4, 14), level: int = 220
) -> np.ndarray:
    """The same with white letters that stand still."""
    result = luma.copy()
    for frame in result:
        cv2.putText(frame, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, level, 1, cv2.LINE_AA)
    return result


def letters(shape: tuple[int, int], text: str = LETTERS, place: tuple[int, int] = (4, 14)) -> np.ndarray:
    """Pixels ``(H, W)`` of these letters."""
    return with_letters(np.zeros((1, *shape), np.uint8), text, place)[0] > 60


def ecg_line(frames: int, width: int, base: int, high: int = 24) -> list[np.ndarray]:
    """Points ``(N, 2)`` of an ECG that is drawn further in each frame, and starts again."""
    x = np.arange(width)
    y = base - high * np.exp(-(((x % 60) - 30) ** 2) / 8)
    shown = [int(width * ((index % frames) + 1) / frames) for index in range(frames)]
    return [np.stack([x[:end], y[:end]], axis=1).round().astype(np.int32) for end in shown]


def with_ecg(luma: np.ndarray, base: int, level: int = 230) -> np.ndarray:
    """The same with a running grey ECG."""
    result = luma.copy()
    for frame, line in zip(result, ecg_line(len(luma), luma.shape[2], base), strict=True):
        cv2.polylines(frame, [line], False, level, 1)
    return result


def header(shape: tuple[int, int, int], syntax: UID = ExplicitVRLittleEndian, **tags: object) -> FileDataset:
    """Tags of an ultrasound cine ``(T, H, W)`` of a patient with a name."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(ULTRASOUND)
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[repr(shape), str(syntax), repr(tags)])
    meta.TransferSyntaxUID = syntax
    order = {"is_implicit_VR": syntax.is_implicit_VR, "is_little_endian": syntax.is_little_endian}
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128, **order)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = "1.2.3.4.5"
    dataset.Modality, dataset.PatientName, dataset.PatientID = "US", "DOE^JANE", "0012345"
    dataset.PatientBirthDate, dataset.InstitutionName, dataset.AccessionNumber = "19570302", "ST ELSEWHERE", "Q77Q"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = shape
    dataset.FrameTime, dataset.FrameIncrementPointer = "33.333", 0x00181063
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


def region(box: tuple[int, int, int, int], form: int = 1, data: int = 1) -> Dataset:
    """An item of SequenceOfUltrasoundRegions; ``box`` with its last column and row outside."""
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType = form, data
    item.RegionLocationMinX0, item.RegionLocationMinY0 = box[:2]
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = box[2] - 1, box[3] - 1
    return item


def add_regions(dataset: Dataset, *items: Dataset) -> Dataset:
    dataset.SequenceOfUltrasoundRegions = Sequence(items)
    return dataset


def save(dataset: FileDataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def ybr(luma: np.ndarray) -> np.ndarray:
    """Luma with neutral chroma ``(T, H, W, 3)``."""
    return np.stack([luma, np.full_like(luma, 128), np.full_like(luma, 128)], axis=-1)


def coded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def jpeg(dataset: FileDataset, frames: np.ndarray, mode: str, **options: object) -> FileDataset:
    dataset.PixelData = encapsulate([coded(Image.fromarray(frame, mode), "JPEG", **options) for frame in frames])
    return dataset


def j2k(dataset: FileDataset, frames: np.ndarray, **options: object) -> FileDataset:
    dataset.PixelData = encapsulate(
        [coded(Image.fromarray(frame), "JPEG2000", no_jp2=True, **options) for frame in frames]
    )
    return dataset


def forms(luma: np.ndarray) -> dict[str, FileDataset]:
    """Every form of DICOM that is read, each holding ``luma (T, H, W)``; those of JPEG nearly."""
    shape, found = luma.shape, {}
    rgb = np.repeat(luma[..., None], 3, axis=-1)
    three = {"SamplesPerPixel": 3, "PlanarConfiguration": 0}

    def plain(name: str, values: np.ndarray, syntax: UID = ExplicitVRLittleEndian, **tags: object) -> None:
        found[name] = header(shape, syntax, **tags)
        found[name].PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)

    plain("monochrome2", luma)
    plain("monochrome2 implicit", luma, ImplicitVRLittleEndian)
    plain("monochrome2 big endian", luma, ExplicitVRBigEndian)
    plain("monochrome2 deflated", luma, DeflatedExplicitVRLittleEndian)
    twelve = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    plain("monochrome2 of 12 bits", luma.astype("<u2") << 4, **twelve)
    plain("monochrome1", 255 - luma, PhotometricInterpretation="MONOCHROME1")
    plain("rgb", rgb, PhotometricInterpretation="RGB", **three)
    by_plane = {"SamplesPerPixel": 3, "PlanarConfiguration": 1}
    plain("rgb by planes", np.moveaxis(rgb, -1, 1), PhotometricInterpretation="RGB", **by_plane)
    plain("ybr_full", ybr(luma), PhotometricInterpretation="YBR_FULL", **three)
    pairs = luma.reshape(*shape[:2], shape[2] // 2, 2)
    neutral = np.full((*pairs.shape[:3], 2), 128, np.uint8)
    plain("ybr_full_422", np.concatenate([pairs, neutral], -1), PhotometricInterpretation="YBR_FULL_422", **three)
    plain("palette", 255 - luma, PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(found["palette"], f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        table = (np.arange(255, -1, -1, dtype="<u2") * 257).tobytes()
        setattr(found["palette"], f"{colour}PaletteColorLookupTableData", table)
    for name in ("monochrome2", "rgb", "ybr_full", "palette"):
        packed = pydicom.dcmread(_bytes(found[name]))
        packed.compress(RLELossless, generate_instance_uid=False)
        found[f"{name} rle"] = packed
    found["monochrome2 jpeg 2000"] = j2k(header(shape, JPEG2000Lossless), luma, irreversible=False)
    tags = {"PhotometricInterpretation": "YBR_RCT", **three}
    found["ybr_rct jpeg 2000"] = j2k(header(shape, JPEG2000Lossless, **tags), rgb, irreversible=False, mct=1)
    tags = {"PhotometricInterpretation": "YBR_ICT", **three}
    found["ybr_ict jpeg 2000"] = j2k(header(shape, JPEG2000, **tags), rgb, irreversible=True, mct=1)
    found["monochrome2 jpeg"] = jpeg(header(shape, JPEGBaseline8Bit), luma, "L", quality=100)
    for photometric, halved in (("YBR_FULL", 0), ("YBR_FULL_422", 1)):
        dataset = header(shape, JPEGBaseline8Bit, PhotometricInterpretation=photometric, **three)
        found[f"{photometric.lower()} jpeg"] = jpeg(dataset, ybr(luma), "YCbCr", quality=100, subsampling=halved)
    return found


def _bytes(dataset: FileDataset) -> io.BytesIO:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return buffer
