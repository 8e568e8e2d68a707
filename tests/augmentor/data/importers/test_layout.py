"""The tables: copies go, labels join, patients have one split, and the files are EchoNet-Dynamic's."""

import csv
import math

import pytest

from echo_augment.augmentor.data.importers.label_table import LabelTable
from echo_augment.augmentor.data.importers.layout import (
    Agreement,
    Row,
    agreement,
    draw_splits,
    drop_twins,
    join_labels,
    splits_before,
    told_splits,
    write_tables,
)
from echo_augment.augmentor.data.importers.records import Labels, Outcome
from echo_augment.cache.errors import EchoAugmentError

SHARES = (0.75, 0.125, 0.125)


def outcome(name, **values):
    return Outcome(**{"source": f"S{name}", "name": name, "patient": f"P{name}", "content": name, "fps": 50.0,
                      "num_frames": 30, "image_size": 112} | values)  # fmt: skip


def test_of_equal_frames_one_clip_stays_whatever_the_order():
    clips = [outcome("B", content="x"), outcome("A", content="x"), outcome("C"), outcome("D", content="x")]
    for given in (clips, clips[::-1]):
        kept = drop_twins(given)
        assert [(one.name, one.status) for one in kept] == [("A", "in"), ("B", "out"), ("C", "in"), ("D", "out")]
        assert kept[1].kind == "duplicate" and kept[1].reason == "the same frames as clip A"


def test_a_clip_that_is_out_anyway_is_nobodys_original():
    out = outcome("A", content="x", status="out", kind="quality", reason="poor")
    assert drop_twins([out, outcome("B", content="x")])[1].status == "in"


def test_the_table_goes_before_the_source_and_discs_come_last():
    table = LabelTable(rows=[Labels(ef=60.0, split="VAL")], patients=["hashed"], by_key={"key": 0})
    by_table = outcome("A", patient="A", keys=["other", "key"], ef=50.0, edv=100.0)
    by_itself, by_discs = outcome("B", ef=40.0, ef_by_discs=45.0), outcome("C", ef_by_discs=45.0)
    clips, labels, used = join_labels([by_table, by_itself, by_discs, outcome("D")], table)
    assert [one.ef for one in labels[:3]] == [60, 40, 45] and math.isnan(labels[3].ef) and used == {0}
    assert labels[0].split == "VAL" and labels[0].edv == 100
    assert [clip.patient for clip in clips] == ["hashed", "PB", "PC", "PD"], "a clip of nobody's gets the table's word"
    known = outcome("E", keys=["key"])
    assert join_labels([known], table)[0][0].patient == "PE", "the file's own patient stays"


def test_splits_follow_the_shares_the_seed_and_what_was_before():
    patients = {f"{number:016X}": "" for number in range(80)}
    first = draw_splits(patients, {}, SHARES, 0)
    assert [list(first.values()).count(name) for name in ("TRAIN", "VAL", "TEST")] == [60, 10, 10]
    assert first == draw_splits(dict(reversed(patients.items())), {}, SHARES, 0) != draw_splits(patients, {}, SHARES, 1)
    more = draw_splits(patients | {f"{number:016X}": "" for number in range(80, 120)}, first, SHARES, 3)
    assert first.items() <= more.items()
    assert [list(more.values()).count(name) for name in ("TRAIN", "VAL", "TEST")] == [90, 15, 15]
    told = draw_splits(patients | {"X": "TEST"}, {"X": "TRAIN"}, SHARES, 0)
    assert told["X"] == "TEST"


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.5, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_shares_that_are_none(shares):
    with pytest.raises(EchoAugmentError, match="three shares"):
        draw_splits({}, {}, shares, 0)


def test_one_word_tells_the_split_of_all_clips_of_a_patient():
    clips = [outcome(name, patient="P") for name in "AB"] + [outcome("C")]
    assert told_splits(clips, [Labels(), Labels(split="VAL"), Labels()]) == {"P": "VAL", "PC": ""}
    with pytest.raises(EchoAugmentError, match=r"clip B: its patient \(P\) is in TEST and in VAL"):
        told_splits(clips, [Labels(split="TEST"), Labels(split="VAL"), Labels()])


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_tables_are_echonets_and_tell_the_splits_again(tmp_path):
    lines = {"7": [[1.0, 2.0, 3.25, 1 / 3]], "0": [[5.0, 6.0, 7.0, 8.0]]}
    rows = [
        Row(clip=outcome("B", fps=47.4), labels=Labels(ef=55.0, edv=100.123456789), split="VAL"),
        Row(clip=outcome("A", tracings=lines), labels=Labels(), split="TRAIN"),
    ]
    write_tables(tmp_path, rows)
    first, second = rows_of(tmp_path / "FileList.csv")
    assert first == {"FileName": "A", "EF": "", "ESV": "", "EDV": "", "FrameHeight": "112", "FrameWidth": "112",
                     "FPS": "50", "NumberOfFrames": "30", "Split": "TRAIN", "Patient": "PA"}  # fmt: skip
    assert (second["FileName"], second["EF"], second["ESV"], second["EDV"]) == ("B", "55", "", "100.12346")
    assert second["FPS"] == "47.4"
    tracing = rows_of(tmp_path / "VolumeTracings.csv")
    assert tracing[0] == {"FileName": "A.avi", "X1": "1", "Y1": "2", "X2": "3.25", "Y2": "0.333333", "Frame": "7"}
    assert [row["Frame"] for row in tracing] == ["7", "0"], "the smaller frame first, as it came"
    assert splits_before(tmp_path) == {"PA": "TRAIN", "PB": "VAL"}


def test_view_and_quality_are_columns_where_a_clip_has_them(tmp_path):
    good = Row(clip=outcome("A", view="4CH"), labels=Labels(quality="Good"), split="TRAIN")
    write_tables(tmp_path, [good, Row(clip=outcome("B"), labels=Labels(), split="TRAIN")])
    assert [(row["View"], row["ImageQuality"]) for row in rows_of(tmp_path / "FileList.csv")] == [
        ("4CH", "Good"),
        ("", ""),
    ]


def test_no_file_list_or_one_without_patients_tells_no_split(tmp_path):
    assert splits_before(tmp_path) == {}
    (tmp_path / "FileList.csv").write_text("FileName,EF,Split\nA,50,TRAIN\n")
    assert splits_before(tmp_path) == {}


def test_efs_agree_one_pair_a_patient():
    clips = [
        outcome("A", patient="P", ef=50.0, ef_by_discs=54.0),
        outcome("B", patient="P", ef=50.0, ef_by_discs=54.0),
        outcome("C", ef=60.0, ef_by_discs=58.0),
        outcome("D", ef=60.0),
        outcome("E", ef_by_discs=30.0),
    ]
    assert agreement(clips) == Agreement(n=2, mae=3.0, bias=1.0)
    assert agreement(clips[3:]) is None
