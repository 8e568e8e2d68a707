"""Any folder and table by a map of columns; the wrapper makes its samples and its leak guard knows its splits."""

import numpy as np
import pytest

import echo_augment
from echo_augment.augmentor import SyntheticAugment
from echo_augment.augmentor.data import VideoTable, write_video
from echo_augment.augmentor.sources.in_memory import InMemoryClips
from echo_augment.augmentor.sources.recipe import donor_rows
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError

COLUMNS = {"video": "clip file", "ef": "LVEF biplane", "split": "set", "patient": "MRN"}


@pytest.fixture
def root(tmp_path, tools):
    """Videos in folders of their own, a table with semicolons beside them, of other names."""
    lines = ["MRN;clip file;name;LVEF biplane;Age;set"]
    for number, (name, split) in enumerate((("s1/A", "train"), ("s1/B", "train"), ("s2/V", "valid"), ("s2/T", "test"))):
        write_video(tmp_path / "clips" / f"{name}.mkv", tools.smooth_frames(number), 50)
        lines.append(f"00{number};{name};x{number};{40 + number},5;{60 + number};{split}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path


def read(root, split="train", target="EF", **options):
    options = {"videos": "clips", "suffix": ".mkv", "length": 8, **options}
    return VideoTable(root, "labels.csv", options.pop("columns", COLUMNS), split, target, **options)


def test_samples_are_those_of_the_table(root):
    data = read(root, target=["EF", "Patient", "Age", "Filename", "name"])
    assert [data[index][1] for index in range(2)] == [
        (40.5, 0, 60, "s1/A.mkv", "x0"),
        (41.5, 1, 61, "s1/B.mkv", "x1"),
    ]
    assert data[0][0].shape == (3, 8, 24, 32) and data.header == ["Patient", "FileName", "name", "EF", "Age", "Split"]
    assert [row.name for row in read(root, "val").rows] == ["s2/V"] and "labels.csv" in repr(data)
    assert echo_augment.VideoTable is VideoTable


def test_what_is_not_mapped_is_found_by_its_usual_name(root):
    path = root / "labels.csv"
    path.write_text(path.read_text().replace("clip file", "FileName").replace("set", "Split"))
    assert len(read(root, columns={"ef": "LVEF biplane"})) == 2


def test_a_mapped_name_goes_before_the_usual_one(root):
    path = root / "labels.csv"
    path.write_text(path.read_text().replace("Age", "EF"))
    data = read(root, target=["EF", "EF (as listed)"])
    assert data[0][1] == (40.5, 60)


def test_a_table_without_ef_or_split(root):
    path = root / "labels.csv"
    path.write_text("clip file;Age\ns1/A;61\ns2/T;62\n")
    assert [read(root, "all", "Age", columns={"video": "clip file"})[index][1] for index in (0, 1)] == [61, 62]
    with pytest.raises(EchoAugmentError, match=r"labels\.csv: has no column Split.*split=\"all\""):
        read(root, "train", "Age", columns={"video": "clip file"})


def test_several_folders_and_tracings(root, tools):
    (root / "traces.csv").write_text(
        "\n".join(["FileName,X1,Y1,X2,Y2,Frame", *tools.tracing_lines("A", 3, 8), *tools.tracing_lines("A", 30, 4)])
    )
    path = root / "labels.csv"
    path.write_text(path.read_text().replace("s1/", "").replace("s2/", ""))
    data = read(root, target=["LargeIndex", "SmallIndex"], videos=["clips/s1", "clips/s2"], tracings="traces.csv")
    assert [row.name for row in data.rows] == ["A"] and data[0][1] == (3, 30) and data.skipped[0].name == "B"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {"clip": "clip file"}}, "columns has the key 'clip'. There are: video, ef"),
        ({"columns": {**COLUMNS, "ef": "LVEF"}}, "has no column 'LVEF' for EF; its columns are MRN, clip file"),
        ({"videos": "nowhere"}, "nowhere: there is no such folder"),
        ({"suffix": ".exe"}, "suffix must be one of"),
        ({"suffix": ".avi"}, r"s1/A\.avi is not there, A\.mkv is .and 1 more: 1 x missing"),
        ({"root": "gone"}, "there is no such folder"),
    ],
)
def test_errors_name_the_value_and_what_there_is(root, changes, message):
    with pytest.raises(EchoAugmentError, match=message):
        read(root / changes.pop("root", "."), **changes)


def test_no_entry_leaves_the_folder(root):
    path = root / "labels.csv"
    path.write_text(path.read_text().replace("s1/A", "../labels"))
    with pytest.raises(EchoAugmentError, match=r"line 2: FileName '\.\./labels' leaves the dataset's folder"):
        read(root)


# ------------------------------------------------------------------------------------------------- the wrapper
def source(*donors):
    class Source(InMemoryClips):
        pass

    Source.donors = frozenset(donors)
    frames = np.random.default_rng(0).integers(60, 200, (60, 24, 32), dtype=np.uint8)
    return Source([EchoClip("made", frames, 50.0, ef=41.0)])


def test_the_wrapper_makes_samples_of_the_same_form(root):
    data = read(root)
    train = SyntheticAugment(data, source("s1/A"), p=1.0, seed=1)
    assert [float(ef) for _, ef in train] == [41.0, 41.0]
    assert all(clip.shape == (3, 8, 24, 32) and clip.dtype == np.float32 for clip, _ in train)
    assert len(SyntheticAugment(data, source("s1/A"), p=0.5, seed=1, mode="extend")) == 4


@pytest.mark.parametrize("donor", ["s2/V", "s2/T"])
def test_its_val_and_test_videos_are_no_donors(root, donor):
    with pytest.raises(EchoAugmentError, match=rf"donors of the synthetic clips are VAL or TEST videos .*{donor}"):
        SyntheticAugment(read(root), source(donor), p=0.5)
    with pytest.raises(EchoAugmentError, match="VAL"):
        SyntheticAugment(read(root, "val"), source(), p=0.5)


def test_it_gives_donors_to_a_live_source_and_its_held_out_videos_too(root):
    from echo_augment.augmentor.data import read_table

    rows, folder, tables = donor_rows(read(root))
    assert sorted(rows) == ["s1/A", "s1/B"] and folder is None
    assert {row.name for row in read_table(tables[0]).rows} == {"s1/A", "s1/B", "s2/V", "s2/T"}
