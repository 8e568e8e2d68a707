"""NIfTI and MetaImage hold the same; what is damaged, enormous or points elsewhere is left out."""

import nibabel
import numpy as np
import pytest

from echo_augment.augmentor.data.importers.records import Left
from echo_augment.augmentor.data.importers.volume_images import as_grey, check_shape, find_volume, read_volume
from tests.fakes.camus import save_meta, save_nifti, ventricle

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 5, 7), dtype=np.uint8)


def change(path, old, new):
    path.write_text(path.read_text().replace(old, new))


def test_both_forms_hold_the_same(tmp_path):
    images, _, _ = ventricle()
    save_nifti(tmp_path / "a.nii.gz", images, (0.2, 0.5))
    save_meta(tmp_path / "b.mhd", images, (0.2, 0.5))
    save_meta(tmp_path / "c.mhd", images, (0.2, 0.5), packed=True)
    for name in ("a.nii.gz", "b.mhd", "c.mhd"):
        volume = read_volume(tmp_path / name)
        assert np.array_equal(volume.frames, images) and volume.spacing == pytest.approx((0.2, 0.5))


def test_one_image_is_a_sequence_of_one(tmp_path):
    nibabel.save(nibabel.Nifti1Image(FRAMES[0].T, np.eye(4)), tmp_path / "a.nii")
    save_meta(tmp_path / "b.mhd", FRAMES[:1])
    for name in ("a.nii", "b.mhd"):
        assert np.array_equal(read_volume(tmp_path / name).frames, FRAMES[:1])


@pytest.mark.parametrize("order", ["<", ">"])
def test_values_of_two_bytes_in_either_order_within_the_header_file(tmp_path, order):
    values = (FRAMES.astype(np.int16) - 100).astype(f"{order}i2")
    head = (
        f"NDims = 3\nDimSize = 7 5 3\nElementType = MET_SHORT\nElementSpacing = 0.5 0.2 1\n"
        f"ElementByteOrderMSB = {order == '>'}\nElementDataFile = LOCAL\n"
    )
    (tmp_path / "a.mha").write_bytes(head.encode() + values.tobytes())
    volume = read_volume(tmp_path / "a.mha")
    assert np.array_equal(volume.frames, FRAMES.astype(int) - 100) and volume.spacing == (0.2, 0.5)


def test_a_header_cannot_name_a_file_elsewhere(tmp_path):
    for elsewhere in ("../a.raw", "/tmp/a.raw", "..\\a.raw", "deep/a.raw"):
        save_meta(tmp_path / "a.mhd", FRAMES)
        change(tmp_path / "a.mhd", "= a.raw", f"= {elsewhere}")
        with pytest.raises(Left, match="another folder"):
            read_volume(tmp_path / "a.mhd")


@pytest.mark.parametrize(
    ("old", "new", "message", "kind"),
    [
        ("DimSize = 7 5 3", "DimSize = 7 5 4", "it holds 105 of 140 bytes", "damaged"),
        ("DimSize = 7 5 3", "DimSize = 7", "an image of 1 axes", "damaged"),
        ("DimSize = 7 5 3", "DimSize = 7 0 3", "an image of 3 axes", "damaged"),
        ("DimSize = 7 5 3", "DimSize = 90000 90000 3", "images of 90000 x 90000 x 3 pixels", "too large"),
        ("MET_UCHAR", "MET_PIXIE", r"its images cannot be read \(KeyError\)", "damaged"),
        ("ElementSpacing = 0.3 0.3 1", "ElementSpacing = 0 0.3 1", "the size of its pixels is not above 0", "damaged"),
        ("ElementSpacing = 0.3 0.3 1", "ElementSpacing = nan 1 1", "the size of its pixels is not above 0", "damaged"),
        ("ElementDataFile", "Nothing", "it has no MetaImage header", "damaged"),
    ],
)
def test_headers_that_lie(tmp_path, old, new, message, kind):
    save_meta(tmp_path / "a.mhd", FRAMES)
    change(tmp_path / "a.mhd", old, new)
    with pytest.raises(Left, match=message) as found:
        read_volume(tmp_path / "a.mhd")
    assert found.value.kind == kind


def test_files_are_found_in_whichever_form_they_are(tmp_path):
    assert find_volume(tmp_path, "a") is None
    for suffix in (".mhd", ".nii.gz"):
        (tmp_path / f"a{suffix}").touch()
        assert find_volume(tmp_path, "a") == tmp_path / f"a{suffix}"


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4, 5), (0, 5), (5000, 5000), (3000, 3000, 3000)])
def test_shapes_of_no_sequence(shape):
    with pytest.raises(Left):
        check_shape(shape)
    check_shape((600, 800, 40))


def test_grey_levels_of_other_ranges():
    assert as_grey(np.array([0.0, 255.0])).tolist() == [0, 255] == as_grey(np.array([-100, 900])).tolist()
    assert as_grey(np.array([10.4, 200.6])).tolist() == [10, 201], "levels within 0 to 255 stay as they are"
    for wrong in (np.nan, np.inf):
        with pytest.raises(Left, match="not finite"):
            as_grey(np.array([wrong]))
