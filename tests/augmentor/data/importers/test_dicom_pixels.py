"""Every transfer syntax and photometric interpretation gives the luma that went in."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from echo_augment.augmentor.data.importers.dicom import read_header
from echo_augment.augmentor.data.importers.dicom_pixels import MOST_LUMA, luma_frames, pixel_form
from echo_augment.augmentor.data.importers.records import Left
from tests.fakes.cines import beating, forms, header, save

LUMA = beating(4, 60, 80)
FORMS = forms(LUMA)
LOSSY = {name for name in FORMS if name.endswith("jpeg") or "ict" in name}


def read(path):
    dataset = read_header(path)
    frames = [one if one.ndim == 2 else one[..., 0] for one in luma_frames(str(path), dataset, pixel_form(dataset))]
    return np.stack(frames)


@pytest.mark.parametrize("name", FORMS)
def test_luma_comes_back(name, tmp_path):
    found = read(save(FORMS[name], tmp_path / "a.dcm"))
    off = np.abs(found.astype(int) - LUMA).max()
    assert found.dtype == np.uint8 and off <= (2 if name in LOSSY else 0), off


def test_luma_of_a_real_jpeg_is_taken_as_it_is_coded():
    path = Path(get_testdata_file("examples_ybr_color.dcm", download=False))
    coded = pydicom.pixels.pixel_array(path, raw=True)[..., 0]
    assert np.array_equal(read(path), coded)


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({"Rows": 0}, "no image"),
        ({"PhotometricInterpretation": "CMYK", "SamplesPerPixel": 4}, "photometric"),
        ({"PhotometricInterpretation": "RGB"}, "photometric"),
        ({"Rows": 60_000, "Columns": 60_000}, "too large"),
        ({"NumberOfFrames": MOST_LUMA // 4000}, "too large"),
        ({"BitsStored": 32, "BitsAllocated": 32}, "too large"),
    ],
)
def test_forms_that_no_cine_has(tags, kind):
    with pytest.raises(Left) as found:
        pixel_form(header((4, 60, 80), **tags))
    assert found.value.kind == kind


def test_a_syntax_without_a_decoder_says_what_to_do(tmp_path):
    dataset = header((2, 60, 80), JPEGLSLossless)
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xf7" + bytes(60)] * 2)
    with pytest.raises(Left, match="no decoder for its transfer syntax is installed") as found:
        read(save(dataset, tmp_path / "a.dcm"))
    assert found.value.kind == "syntax" and "Decompress" in found.value.remedy


def test_pixels_that_are_missing_or_damaged(tmp_path):
    short = forms(LUMA)["monochrome2"]
    short.PixelData = short.PixelData[: len(short.PixelData) // 2]
    torn = forms(LUMA)["ybr_full jpeg"]
    torn.PixelData = encapsulate([b"\xff\xd8" + bytes(200)] * 4)
    few = forms(LUMA)["ybr_full jpeg"]
    few.NumberOfFrames = 9
    for dataset in (short, torn, few):
        with pytest.raises(Left) as found:
            read(save(dataset, tmp_path / "a.dcm"))
        assert found.value.kind == "damaged"
