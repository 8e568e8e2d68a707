"""CAMUS, written to its published format: no original was at hand."""

import numpy as np
import pytest

from echo_augment.augmentor.data.importers.camus import find_patients, read_camus
from echo_augment.augmentor.data.importers.records import ImportPlan, Left
from echo_augment.augmentor.data.tracing import tracing_area, tracing_mask
from tests.fakes.camus import save_nifti, ventricle, write_camus, write_patient

PLAN = ImportPlan(source="camus")


def test_sequences_labels_and_tracings(tmp_path):
    true = write_camus(tmp_path)
    sources = list(find_patients(tmp_path, ("2CH", "4CH")))
    assert [source.relative for source in sources][:3] == [
        f"database_nifti/patient0001:{view}" if number == 1 else f"database_nifti/patient0002:{view}"
        for number, view in ((1, "2CH"), (1, "4CH"), (2, "2CH"))
    ]
    clip = read_camus(sources[1], PLAN)
    assert clip.frames.shape == (12, 112, 112) and clip.fps == 47.4 and clip.patient == "patient0001"
    labels = clip.labels
    assert labels.split == "VAL" and labels.quality == "Good" and labels.ef == round(true[0])
    assert labels.ef_by_discs == pytest.approx(true[0], abs=2.5)
    assert labels.edv == pytest.approx(
        4 / 3 * np.pi * 17 * 8 * 8 / 1000, rel=0.08
    )  # chords are the widest of their slice
    assert list(clip.tracings) == [11, 0], "the smaller frame first"
    assert all(lines.shape == (21, 4) for lines in clip.tracings.values())
    drawn = tracing_mask(clip.tracings[0], (112, 112)) > 0
    dark = clip.frames[0] < 60
    assert (drawn & dark).sum() / drawn.sum() > 0.85
    assert tracing_area(clip.tracings[11]) < 0.8 * tracing_area(clip.tracings[0])
    assert [read_camus(source, PLAN).labels.split for source in sources[::2]] == ["VAL", "TEST", "TRAIN"]


def test_the_older_form(tmp_path):
    write_patient(tmp_path, 1, meta=True)
    source = next(iter(find_patients(tmp_path, ("4CH",))))
    with pytest.raises(Left, match="frame rate"):
        read_camus(source, PLAN)
    clip = read_camus(source, ImportPlan(source="camus", fps=50))
    assert (
        (clip.labels.edv, clip.labels.esv) == (90, 40) and clip.labels.quality == "Medium" and clip.labels.split == ""
    )
    assert clip.labels.ef_by_discs == pytest.approx(clip.labels.ef, abs=3) and len(clip.tracings) == 2


def test_pixels_become_square(tmp_path):
    folder = tmp_path / "patient0009"
    write_patient(tmp_path, 9)
    images, labels, _ = ventricle(shape=(320, 140), spacing=(0.15, 0.30))
    for name, values in (("half_sequence", images), ("half_sequence_gt", labels)):
        save_nifti(folder / f"patient0009_4CH_{name}.nii.gz", values, (0.15, 0.30))
    two, four = (read_camus(source, PLAN) for source in find_patients(tmp_path, ("2CH", "4CH")))
    sides = [tracing_mask(clip.tracings[0], (112, 112)) > 0 for clip in (two, four)]
    assert (sides[0] & sides[1]).sum() / (sides[0] | sides[1]).sum() > 0.9
    assert four.labels.ef_by_discs == pytest.approx(two.labels.ef_by_discs, abs=1.5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("Info_4CH.cfg", b"\xff\xfe\x00", "no text"),
        ("Info_4CH.cfg", b"", "no text"),
        ("patient0001_4CH_half_sequence.nii.gz", b"\x1f\x8b" + b"x" * 50, "cannot be read"),
        ("patient0001_4CH_half_sequence.nii.gz", None, "is not there"),
        ("patient0001_4CH_half_sequence_gt.nii.gz", b"no NIfTI", "cannot be read"),
    ],
)
def test_damaged_files_are_left_out(tmp_path, name, content, message):
    write_patient(tmp_path, 1)
    path = tmp_path / "patient0001" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(Left, match=message):
        read_camus(next(iter(find_patients(tmp_path, ("4CH",)))), PLAN)
