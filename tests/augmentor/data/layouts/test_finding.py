"""A folder is read by what lies in it: one table, two views, a list of measurements; nothing is merged unasked."""

import numpy as np
import pytest

from echo_augment.augmentor import SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic, read_table
from echo_augment.augmentor.data.checkup import check_dataset
from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.augmentor.sources.in_memory import InMemoryClips
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError

from ..conftest import make

PEDIATRIC = "FileName,EF,Sex,Age,Weight,Height,Split"


def outline(name, frame, half):
    """Points around column 15, as EchoNet-Pediatric has them."""
    points = [(15 - half, 4), (15, 2), (15 + half, 4), (15 + half, 16), (15, 18), (15 - half, 16)]
    return [f"{name}.avi,{x}.5,{y}.25,{frame}" for x, y in points]


@pytest.fixture
def pediatric(tmp_path):
    """Both views: per view three videos in folds 0, 8 and 9; in A4C one has ``No Systolic``; larger frame first."""
    root = tmp_path / "pediatric_echo_avi" / "pediatric_echo_avi"
    for view, names in (("A4C", ["CR1-A", "CR2-A", "CR3-A"]), ("PSAX", ["CR1-P", "CR2-P", "CR3-P"])):
        rows = [
            f"{name}.avi,{50 + k}.5,F,{k},12.5,90,{fold}"
            for k, (name, fold) in enumerate(zip(names, "089", strict=True))
        ]
        lines = [line for name in names for line in outline(name, 3, 8) + outline(name, 30, 4)]
        if view == "A4C":
            lines = [line for line in lines if not line.startswith("CR2-A") or not line.endswith(",30")]
            lines.append("CR2-A.avi,,,No Systolic")
        make(root / view, rows, names, header=PEDIATRIC, tracing_header="FileName,X,Y,Frame", tracings=lines)
    return root


def test_a_view_of_echonet_pediatric_reads_as_it_ships(pediatric):
    data = EchoNetDynamic(pediatric / "A4C", "train", ["EF", "Age", "SmallIndex", "LargeIndex", "LargeTrace"], length=8)
    clip, (ef, age, small, large, mask) = data[0]
    assert clip.shape == (3, 8, 24, 32) and (ef, age, small, large) == (50.5, 0, 30, 3)
    assert mask[10, 15] == 1 and mask[10, 25] == 0 and 150 < mask.sum() < 320
    skipped = EchoNetDynamic(pediatric / "A4C", "all", "LargeTrace", length=8).skipped
    assert [(one.name, one.reason) for one in skipped] == [("CR2-A", "fewer than two traced frames")]
    assert [row.fold for row in EchoNetDynamic(pediatric / "A4C", "all", require_tracings=False).rows] == [0, 8, 9]
    assert check_dataset(pediatric / "A4C").errors == []


def test_the_order_of_the_file_on_request(pediatric):
    both = [
        EchoNetDynamic(pediatric / "PSAX", target_type=["SmallIndex", "LargeIndex"], traces=one)
        for one in ("area", "file")
    ]
    assert [one[0][1] for one in both] == [(30, 3), (3, 30)]


@pytest.mark.parametrize("above", [0, 1, 2])
def test_the_folder_above_reads_both_views(pediatric, above):
    root = [pediatric, *pediatric.parents][above]
    data = EchoNetDynamic(root, "train", ["EF", "View", "Filename"], length=8)
    assert [data[index][1] for index in range(len(data))] == [
        (50.5, "A4C", "CR1-A.avi"),
        (50.5, "PSAX", "CR1-P.avi"),
    ]
    found = check_dataset(root)
    assert found.errors == [] and found.facts.videos == 6 and found.facts.folds == {"0": 2, "8": 2, "9": 2}
    assert found.facts.traced == 5


def test_a_name_in_both_views_is_refused(pediatric):
    (pediatric / "PSAX" / "Videos" / "CR1-P.avi").rename(pediatric / "PSAX" / "Videos" / "CR1-A.avi")
    path = pediatric / "PSAX" / "FileList.csv"
    path.write_text(path.read_text().replace("CR1-P", "CR1-A"))
    with pytest.raises(EchoAugmentError, match=r"CR1-A is also .*A4C.*Read one view alone: .*PSAX"):
        read_table(pediatric)


def test_donors_of_the_other_view_are_held_out_too(pediatric):
    class Source(InMemoryClips):
        donors = frozenset({"CR2-P"})

    data = EchoNetDynamic(pediatric, "train", length=8, require_tracings=False)
    clips = [EchoClip("a", np.zeros((60, 24, 32), np.uint8) + 90, 50.0, ef=40.0)]
    with pytest.raises(EchoAugmentError, match=r"donors .* are VAL or TEST videos of .*CR2-P"):
        SyntheticAugment(data, Source(clips), p=0.5)
    assert len(SyntheticAugment(data, InMemoryClips(clips), p=0.5, seed=0)) == 2


# ------------------------------------------------------------------------------------------------ EchoNet-LVH
LVH = "HashedFileName,Calc,CalcValue,Frame,D,X1,X2,Y1,Y2,Frames,FPS,Width,Height,split"


@pytest.fixture
def lvh(tmp_path):
    root = make(tmp_path / "EchoNet-LVH", [], "ABV")
    for number, name in enumerate("ABV"):
        (root / f"Batch{1 + number // 2}").mkdir(exist_ok=True)
        (root / "Videos" / f"{name}.avi").rename(root / f"Batch{1 + number // 2}" / f"{name}.avi")
    for path in (root / "FileList.csv", root / "VolumeTracings.csv"):
        path.unlink()
    (root / "Videos").rmdir()
    lines = [
        "A,IVSd,1.1,7,0,10,11,5,8,40,50,32,24,train",
        "A,LVIDd,4.5,7,0,11,12,8,15,40,50,32,24,train",
        "A,LVIDd,4.7,30,0,11,12,8,15,40,50,32,24,train",
        "B,LVIDd,5.25,9,0,11,12,8,16,40,50,32,24,train",
        "V,IVSd,Couldn't calculate,9,0,11,12,8,16,40,50,32,24,val",
    ]
    (root / "MeasurementsList.csv").write_text("\n".join([LVH, *lines]) + "\n")
    return root


def test_echonet_lvh_reads_as_it_ships(lvh):
    data = EchoNetDynamic(lvh, "train", ["LVIDd", "IVSd", "LVIDdFrame", "LVIDdX1", "LVIDdY2"], length=8)
    clip, target = data[0]
    assert clip.shape == (3, 8, 24, 32) and target == pytest.approx((4.6, 1.1, 7, 11, 15))
    assert np.isnan(data[1][1][1]) and data[1][1][0] == 5.25
    assert [row.path.parent.name for row in data.rows] == ["Batch1", "Batch1"] and data.rows[0].n_frames == 40
    assert EchoNetDynamic(lvh, "val", "Filename", length=8)[0][1] == "V.avi"
    with pytest.raises(EchoAugmentError, match=r"target_type 'EF' is not known\. There are: .*IVSd.*LVIDd"):
        EchoNetDynamic(lvh, "train")


def test_doctor_reads_echonet_lvh_and_says_that_there_is_no_ef(lvh):
    found = check_dataset(lvh)
    assert found.errors == [] and [problem.kind for problem in found.problems if problem.kind != "short"] == ["no EF"]
    assert found.facts.videos == 3 and found.facts.splits == {"TRAIN": 2, "VAL": 1}


def test_a_video_in_two_batches_is_refused(lvh):
    (lvh / "Batch2" / "A.avi").write_bytes((lvh / "Batch1" / "A.avi").read_bytes())
    assert [(problem.kind, problem.video) for problem in check_dataset(lvh).errors] == [("name", "A")]
    with pytest.raises(EchoAugmentError, match=r"line 2: .*Batch1/A\.avi and .*Batch2/A\.avi are both there"):
        EchoNetDynamic(lvh, "train", "LVIDd")


# ----------------------------------------------------------------------------------------------- what is none
def test_unrelated_data_sets_below_a_folder_are_not_merged(tmp_path, tools):
    for name in ("real", "peer"):
        make(tmp_path / name, [tools.row("A")], "A")
    with pytest.raises(EchoAugmentError, match=r"has no FileList\.csv\. .*peer has one: give it"):
        find_files(tmp_path)
    assert [problem.kind for problem in check_dataset(tmp_path).problems] == ["folder"]


def test_a_list_of_measurements_without_videos(tmp_path):
    (tmp_path / "MeasurementsList.csv").write_text(LVH + "\n")
    with pytest.raises(EchoAugmentError, match="has no folder with videos"):
        find_files(tmp_path)
