"""What a DICOM has to be to come in, its frame rate and region, and that nothing of its tags comes along."""

import numpy as np
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from echo_augment.augmentor.data.importers.dicom import bmode_region, find_dicoms, frame_rate, read_dicom, read_header
from echo_augment.augmentor.data.importers.dicom_pixels import pixel_form
from echo_augment.augmentor.data.importers.records import ImportPlan, Left, Source
from tests.fakes.cines import add_regions, beating, header, region, save, sector_mask

LUMA = beating(25)
SHAPE = LUMA.shape
PLAN = ImportPlan(source="dicom")


def cine(tmp_path, *regions, luma=LUMA, **tags):
    dataset = header(luma.shape[:3], **tags)
    dataset.PixelData = luma.tobytes()
    return Source(save(add_regions(dataset, *regions) if regions else dataset, tmp_path / "a.dcm"), tmp_path)


def coloured(box=(150, 110, 180, 140), moves=True):
    """RGB of the cine with a box of red and blue flow in its middle."""
    rgb = np.repeat(LUMA[..., None], 3, axis=-1)
    for index, frame in enumerate(rgb):
        x0, y0, x1, y1 = box
        frame[y0:y1, x0:x1] = (200, 30, 30) if index % 2 or not moves else (30, 30, 200)
    return rgb


RGB = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB"}


def test_a_cine_comes_in(tmp_path):
    clip = read_dicom(cine(tmp_path), PLAN)
    assert clip.frames.shape == (25, 112, 112) and clip.frames.max() > 60 and clip.fps == pytest.approx(30, abs=0.01)
    assert clip.patient == "0012345" and clip.study == ("1.2.3.4.5", "Q77Q") and "a" in clip.names
    assert clip.notes == ("no B-mode region is stated; the sector is what moves",)


@pytest.mark.parametrize(
    ("tags", "regions", "kind"),
    [
        ({"Modality": "CT"}, [], "modality"),
        ({"Modality": "DOE JANE"}, [], "modality"),
        ({}, [region((0, 0, 100, 100), form=2)], "M-mode"),
        ({}, [region((0, 0, 100, 100), form=3)], "Doppler"),
        ({}, [region((0, 0, 300, 200)), region((0, 200, 300, 240), form=3, data=3)], "Doppler"),
        ({}, [region((0, 0, 300, 200)), region((50, 50, 90, 90), data=2)], "colour"),
        ({}, [region((0, 0, 160, 240)), region((160, 0, 320, 240))], "panels"),
        ({"FrameTime": None}, [], "fps"),
        ({"FrameTime": "0.1"}, [], "fps"),
        ({"FrameTime": "10"}, [], "short"),
        ({"HeartRate": "50"}, [], "short"),
    ],
)
def test_what_is_no_b_mode_cine_is_left_out_with_a_reason(tmp_path, tags, regions, kind):
    with pytest.raises(Left) as found:
        read_dicom(cine(tmp_path, *regions, **tags), PLAN)
    assert found.value.kind == kind and "DOE" not in str(found.value)


def test_a_single_frame_and_what_is_no_image(tmp_path):
    with pytest.raises(Left, match="a single frame"):
        read_dicom(cine(tmp_path, luma=LUMA[:1]), PLAN)
    (tmp_path / "b.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"no tags at all")
    with pytest.raises(Left):
        read_dicom(Source(tmp_path / "b.dcm", tmp_path), PLAN)


def test_colour_flow_is_refused_or_its_box_dropped(tmp_path):
    source = cine(tmp_path, luma=coloured(), **RGB)
    with pytest.raises(Left, match="colour flow"):
        read_dicom(source, PLAN)
    clip = read_dicom(source, ImportPlan(source="dicom", colour="drop_box"))
    assert "the box of its colour flow is blacked out" in clip.notes
    assert clip.frames[:, 54:66, 53:64].max() == 0 and clip.masked == pytest.approx(900 / 26000, abs=0.02)


def test_a_coloured_marker_is_no_flow_and_is_blacked_out(tmp_path):
    clip = read_dicom(cine(tmp_path, luma=coloured((150, 110, 160, 116), moves=False), **RGB), PLAN)
    assert 0.001 < clip.masked < 0.02


def test_a_tint_is_no_colour(tmp_path):
    sepia = (LUMA[..., None] * np.array([1.0, 0.8, 0.55])).astype(np.uint8)
    assert read_dicom(cine(tmp_path, luma=sepia, **RGB), PLAN).masked == 0


def rate(**tags):
    return frame_rate(header(SHAPE, **tags), SHAPE[0], None)


def test_frame_rates_by_every_tag_and_their_disagreement():
    even, uneven = [0, *[20] * 24], [0, *[20, 40] * 12]
    pointer = {"FrameIncrementPointer": 0x00181065}
    assert rate(FrameTime="25").fps == 40 and rate(FrameTime=None, CineRate="33").fps == 33
    assert rate(FrameTime=None, RecommendedDisplayFrameRate="47").fps == 47
    assert rate(FrameTime=None, FrameTimeVector=even).fps == 50
    assert (
        rate(FrameTimeVector=even, **pointer).fps == 50
        and "FrameTime 30" in rate(FrameTimeVector=even, **pointer).notes[0]
    )
    assert "uneven: 20 to 40 ms" in rate(FrameTime=None, FrameTimeVector=uneven).notes[0]
    assert "not that of these frames" in rate(FrameTimeVector=[0, 20, 20]).notes[0]
    assert rate(CineRate="50").notes == ("FrameTime says 30 frames a second, CineRate 50; fps= decides",)
    assert frame_rate(header(SHAPE, CineRate="50"), 25, 50.0).notes == ("fps says 50 frames a second, FrameTime 30",)


def test_the_region_is_used_where_it_lies_in_the_picture():
    form = pixel_form(header(SHAPE))
    assert bmode_region(add_regions(header(SHAPE), region((10, 20, 300, 220))), form) == ((10, 20, 300, 220), ())
    box, notes = bmode_region(add_regions(header(SHAPE), region((84, 31, 596, 415))), form)
    assert box is None and "does not lie in frames of 320x240" in notes[0]
    both = add_regions(header(SHAPE), region((10, 20, 300, 220)), region((50, 50, 90, 90), data=2))
    assert bmode_region(both, form)[0] == (10, 20, 300, 220)


def test_dicoms_are_found_by_their_bytes(tmp_path):
    source = cine(tmp_path / "deep" / "er")
    source.path.rename(tmp_path / "deep" / "IM_0001")
    (tmp_path / "notes.txt").write_text("no DICOM")
    (tmp_path / "empty.dcm").write_bytes(b"")
    assert [one.relative for one in find_dicoms(tmp_path)] == ["deep/IM_0001"]
    assert [one.relative for one in find_dicoms(tmp_path / "deep" / "IM_0001")] == ["IM_0001"]


def test_a_header_without_a_preamble_is_read(tmp_path):
    dataset = header(SHAPE, ExplicitVRLittleEndian)
    dataset.PixelData = LUMA.tobytes()
    path = save(dataset, tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[132:])
    assert read_header(path).Modality == "US"


def test_all_of_the_sector_is_kept(tmp_path):
    clip = read_dicom(cine(tmp_path, region((0, 0, 320, 240))), PLAN)
    rows, columns = np.flatnonzero(sector_mask().any(axis=1)), np.flatnonzero(sector_mask().any(axis=0))
    aspect = (rows[-1] - rows[0]) / (columns[-1] - columns[0])
    seen = clip.frames.max(axis=0) > 0
    found = (seen.any(axis=1).sum() - 1) / (seen.any(axis=0).sum() - 1)
    assert found == pytest.approx(aspect, abs=0.04)
