"""Labels join by name, study or patient; what cannot be used is told with its line."""

import numpy as np
import pytest

from echo_augment.augmentor.data.importers.identity import Hasher
from echo_augment.augmentor.data.importers.label_table import clip_keys, read_labels
from echo_augment.augmentor.data.importers.records import ReadClip
from echo_augment.cache.errors import EchoAugmentError

HASHER = Hasher(b"k" * 32)
CLIP = ReadClip(
    frames=np.zeros((2, 4, 4), np.uint8),
    fps=30,
    patient="0012345",
    study=("1.2.3", "A77"),
    names=("a/IM1.dcm", "IM1.dcm", "IM1", "1.2.840.9"),
)


def found(tmp_path, text, **columns):
    (tmp_path / "t.csv").write_text(text)
    table = read_labels(tmp_path / "t.csv", columns, HASHER)
    index = table.find(clip_keys(CLIP, HASHER))
    return table, None if index is None else table.rows[index]


@pytest.mark.parametrize(
    "text",
    [
        "FileName,EF\nIM1.dcm,55\n",
        "FileName,EF\nim1,55\n",
        "FileName,EF\na/IM1,55\n",
        "SOPInstanceUID,LVEF\n1.2.840.9,55\n",
        "AccessionNumber,EF\nA77,55\n",
        "StudyInstanceUID,EF\n1.2.3,55\n",
        "Patient ID,EF\n0012345,55\n",
        "PatientID,EF\n12345,55\n",
        "PatientID,EF\n0012345,55%\n",
        'PatientID,EF\n0012345,"55,0"\n',
        "\ufeffPatient_ID;LVEF\r\n0012345;55,0\r\n",
        "sep=;\nPatientID;EF;;\n12345;55;;",
        " patient id \tEF\n0012345\t55 %\n",
        "\ufeffPatientID,EF,Split\r\n0012345,55,train\r\n",
    ],
)
def test_rows_are_joined(tmp_path, text):
    assert found(tmp_path, text)[1].ef == 55


def test_a_name_goes_before_a_patient_and_the_users_columns_before_the_usual_ones(tmp_path):
    text = "FileName,PatientID,EF,LVEF biplane,Split\nIM1,x,40,41,VAL\ny,0012345,60,61,TRAIN\n"
    assert found(tmp_path, text)[1].ef == 40
    row = found(tmp_path, text, ef="lvef biplane")[1]
    assert row.ef == 41 and row.split == "VAL"


def test_values_that_cannot_be_used_are_told(tmp_path):
    text = "FileName,EF,EDV\nIM1,Couldn't calculate,90\nIM2,155,90\n,40,90\n"
    table, row = found(tmp_path, text)
    assert np.isnan(row.ef) and row.edv == 90 and len(table.problems) == 3
    first, _, last = table.problems
    assert str(first) == 'line 2: ef is no number of at most 100, got "Couldn\'t calculate"' and "names no" in str(last)
    assert "Couldn't" not in first.text, "a wrong column may make it a name, and the report lies in the data set"


def test_a_split_is_one_of_three_words(tmp_path):
    table, row = found(tmp_path, "FileName,Split\nIM1,DOE JANE\n")
    assert row.split == "" and str(table.problems[0]) == "line 2: split is none of TRAIN, VAL, TEST, got 'DOE JANE'"


def test_the_table_tells_whose_a_clip_is(tmp_path):
    table, row = found(tmp_path, "FileName,Patient,EF\nIM1,P7,55\nIM2,P7,55\n")
    assert row.ef == 55 and table.patients == [HASHER.name("patient", "P7")] * 2


def test_rows_that_contradict_one_another_are_not_used(tmp_path):
    table, row = found(tmp_path, "PatientID,EF\n0012345,40\n0012345,60\n")
    assert row is None and "contradicts" in table.problems[0].text
    assert found(tmp_path, "PatientID,EF\n0012345,40\n0012345,40\n")[1].ef == 40


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("FileName,EF\nIM1,0.55\n", {}, "multiply it by 100"),
        ("EF,Age\n55,60\n", {}, "no column to join by"),
        ("FileName,EF\nIM1,55\n", {"ef": "LVEF"}, "no column 'LVEF'"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, columns, message):
    with pytest.raises(EchoAugmentError, match=message):
        found(tmp_path, text, **columns)


def test_frame_rates_are_kept_by_name(tmp_path):
    assert found(tmp_path, "FileName,FPS\nIM1.avi,50\n")[0].rates == {"IM1.avi": 50, "IM1": 50}


def test_no_name_is_kept_in_the_keys():
    assert not any(name in key for key in clip_keys(CLIP, HASHER) for name in ("IM1", "12345", "A77"))
