"""Promise 3 at the wrapper: held-out hearts are refused by split, fold, name and content."""

import shutil

import numpy as np
import pytest
import torch
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import ConcatDataset, Subset

from echo_augment.augmentor import InMemoryClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic, VideoInfo, read_table, refuse_leaks, write_video
from echo_augment.augmentor.data.checkup import check_dataset
from echo_augment.augmentor.data.layouts.video_table import VideoTable
from echo_augment.augmentor.leakage import same_content
from echo_augment.cache.errors import EchoAugmentError

SOURCE = InMemoryClips([make_clip(0)])


@pytest.mark.parametrize("split", [8, "9", "fold:8", "fold:0,9", [0, 8], "Validation", "dev", ["train", "testing"]])
def test_held_out_folds_and_synonyms_are_refused(split):
    with pytest.raises(EchoAugmentError, match=r"SyntheticAugment got the .* split.*held_out="):
        SyntheticAugment(FakeEcho(split=split), SOURCE)


@pytest.mark.parametrize("split", ["train", "TRAINING", 3, "fold:0,7", [0, 1], "all", None])
def test_training_splits_and_folds_are_taken(split):
    base = FakeEcho(split="TRAIN")
    base.split = split
    assert len(SyntheticAugment(base, SOURCE)) == 12


def test_rows_of_held_out_folds_are_refused():
    base = FakeEcho(split="all")
    for place, row in enumerate(base.outcome):
        row[3] = place % 10
    with pytest.raises(EchoAugmentError, match=r"item 8 of the dataset \(real8.avi\) is in the 8 split"):
        SyntheticAugment(base, SOURCE)
    assert len(SyntheticAugment(Subset(base, [0, 1, 7, 10, 11]), SOURCE)) == 5


def test_cross_validation_names_its_own_held_out_folds():
    base = FakeEcho(split="fold:8,9")
    for row in base.outcome:
        row[3] = 8.0
    assert len(SyntheticAugment(base, SOURCE, held_out=0)) == 12
    with pytest.raises(EchoAugmentError, match="fold 8 split"):
        SyntheticAugment(base, SOURCE, held_out=[0, 8])


# ------------------------------------------------------------------------------------------------------------ donors
@pytest.fixture
def root(tmp_path):
    """Six videos in folds 0, 1, 2, 8, 9 and one of no split; ``copy`` shows what ``held`` shows."""
    videos = tmp_path / "data" / "Videos"
    videos.mkdir(parents=True)
    folds = {"one": 0, "copy": 1, "dot.ted": 2, "held": 8, "test": 9, "lost": ""}
    for seed, name in enumerate(folds):
        frames = np.random.default_rng(seed).integers(0, 256, (20, 16, 16), dtype=np.uint8)
        write_video(videos / f"{name}.avi", frames, 50.0)
    shutil.copy(videos / "held.avi", videos / "copy.avi")
    lines = ["FileName,EF,Split", *(f"{name},50,{fold}" for name, fold in folds.items())]
    (tmp_path / "data" / "FileList.csv").write_text("\n".join(lines) + "\n")
    same_content.cache_clear()
    return tmp_path / "data"


class Named(InMemoryClips):
    """One clip, and donors as told."""

    def __init__(self, donors, videos):
        super().__init__([make_clip(0)])
        self.names, self.donor_videos = frozenset(donors), videos

    @property
    def donors(self):
        return self.names


def of(*donors, **videos):
    return Named(donors, videos)


@pytest.mark.parametrize("donor", ["held", "test", "held.avi"])
def test_donors_of_held_out_folds_are_refused_by_name(root, donor):
    with pytest.raises(EchoAugmentError, match=f"1 donors .* {donor.removesuffix('.avi')} among them"):
        SyntheticAugment(FakeEcho(root=root), of("one", donor))


def test_other_donors_are_taken(root):
    assert len(SyntheticAugment(FakeEcho(root=root), of("one", "dot.ted", "stranger"))) == 12
    with pytest.raises(EchoAugmentError, match=r"1 donors .* does not serve: lost among them"):
        SyntheticAugment(FakeEcho(root=root), of("one", "lost"))
    assert len(SyntheticAugment(FakeEcho(root=root), of("one", "lost"), donors="table")) == 12


def test_a_donor_that_shows_a_held_out_video_is_refused_by_content(root):
    with pytest.raises(EchoAugmentError, match="copy is held"):
        SyntheticAugment(FakeEcho(root=root), of("one", "copy"))
    with pytest.raises(EchoAugmentError, match="copy is held"):
        SyntheticAugment(EchoNetDynamic(root, split="train", on_error="skip"), of("one", "copy"))


def test_a_donor_of_another_folder_is_refused_by_content(root, tmp_path):
    shutil.copy(root / "Videos" / "test.avi", tmp_path / "new_name.avi")
    elsewhere = {"new_name": VideoInfo("new_name", tmp_path / "new_name.avi")}
    with pytest.raises(EchoAugmentError, match="new_name is test"):
        SyntheticAugment(FakeEcho(root=root), of("new_name", **elsewhere))
    assert len(SyntheticAugment(FakeEcho(root=root), of("new_name"))) == 12, "nobody can know"


def test_a_held_out_video_that_cannot_be_read_hides_no_leak(root):
    (root / "Videos" / "test.avi").write_bytes(b"RIFF")
    with pytest.raises(EchoAugmentError, match="copy is held"):
        SyntheticAugment(FakeEcho(root=root), of("copy"))


def test_own_held_out_folds_count_for_donors_too(root):
    with pytest.raises(EchoAugmentError, match="one among them"):
        SyntheticAugment(FakeEcho(root=root), of("one"), held_out=0)
    assert len(SyntheticAugment(FakeEcho(root=root), of("test"), held_out=0, donors="table")) == 12


# -------------------------------------------------------------------------------------------- what the user holds out
WORDS = "FileName,EF,Split\nreal0,50,TRAIN\nreal1,50,VAL\nreal2,50,TEST\nreal3,50,SPARE\n"


@pytest.mark.parametrize("wrong", ["VALIDATON", 3, "fold:2", ["spare", "tset"], "7"])
def test_a_value_that_is_no_split_of_the_table_is_an_error(tmp_path, wrong):
    (tmp_path / "FileList.csv").write_text(WORDS)
    with pytest.raises(EchoAugmentError, match=r"held_out=.*no row of the table is in .*SPARE, TEST, TRAIN, VAL"):
        SyntheticAugment(FakeEcho(root=tmp_path), SOURCE, held_out=wrong)


def test_val_and_test_stay_held_out_whatever_is_added(tmp_path):
    (tmp_path / "FileList.csv").write_text(WORDS)
    for added in ("spare", "VALID", ["test", "spare"]):
        with pytest.raises(EchoAugmentError, match="VAL split"):
            SyntheticAugment(FakeEcho(root=tmp_path, split="VAL"), SOURCE, held_out=added)
        for donor in ("real1", "real2"):
            with pytest.raises(EchoAugmentError, match="VAL or TEST videos"):
                SyntheticAugment(FakeEcho(root=tmp_path), of(donor), held_out=added, donors="table")
    with pytest.raises(EchoAugmentError, match="real3 among them"):
        SyntheticAugment(FakeEcho(root=tmp_path), of("real3"), held_out="spare", donors="table")


def test_a_word_held_out_of_a_table_of_folds_keeps_the_conventional_folds_out():
    base = FakeEcho(split="fold:9")
    with pytest.raises(EchoAugmentError, match="fold 9 split"):
        SyntheticAugment(base, SOURCE, held_out="val")


def test_held_out_of_a_dataset_without_splits_is_an_error():
    with pytest.raises(EchoAugmentError, match="nothing is known of the splits"):
        SyntheticAugment([(0.0,)] * 3, SOURCE, held_out="fold:1", adapter=lambda clip, rng: (0.0,))


# ----------------------------------------------------------------------------------------- folds inside the TRAIN split
@pytest.fixture
def train(root):
    """Three TRAIN videos; ``twin`` shows what ``two`` shows."""
    shutil.copy(root / "Videos" / "copy.avi", root / "Videos" / "test.avi")
    lines = ["FileName,EF,Split", "one,50,TRAIN", "copy,51,TRAIN", "test,52,TRAIN", "lost,53,TRAIN"]
    (root / "FileList.csv").write_text("\n".join(lines) + "\n")
    return EchoNetDynamic(root, split="train")


def test_donors_outside_the_wrapped_subset_are_refused_by_name_and_content(train):
    assert train.fnames == ["one.avi", "copy.avi", "test.avi", "lost.avi"]
    fold = Subset(train, [0, 1])
    assert len(SyntheticAugment(train, of("one", "copy", "test", "lost"))) == 4
    assert len(SyntheticAugment(fold, of("one", "stranger"))) == 2
    with pytest.raises(EchoAugmentError, match=r"does not serve: lost among them.*donors="):
        SyntheticAugment(fold, of("one", "lost"))
    with pytest.raises(EchoAugmentError, match="copy is test"):
        SyntheticAugment(fold, of("copy"))
    assert len(SyntheticAugment(fold, of("one", "lost", "copy"), donors="table")) == 2
    with pytest.raises(EchoAugmentError, match="donors must be"):
        SyntheticAugment(fold, of("one"), donors="all")


def test_subsets_of_subsets_and_parts_of_one_dataset_count_together(train):
    parts = ConcatDataset([Subset(train, [0]), Subset(Subset(train, [3, 1]), [0])])
    assert len(SyntheticAugment(parts, of("one", "lost"))) == 2
    with pytest.raises(EchoAugmentError, match="test among them"):
        SyntheticAugment(parts, of("test"))


def test_a_video_that_the_dataset_leaves_out_by_itself_may_be_a_donor(train, root):
    (root / "Videos" / "lost.avi").write_bytes(b"RIFF")
    base = EchoNetDynamic(root, split="train", on_error="skip")
    assert len(base) == 3 and len(SyntheticAugment(base, of("lost"))) == 3


class Holds(torch.utils.data.Dataset):
    """A wrapper that nobody knows: it keeps what it wraps as ``dataset`` and serves some of it."""

    def __init__(self, dataset, count):
        self.dataset, self.count = dataset, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.dataset[index]


@pytest.mark.parametrize("count", [12, 5])
def test_an_unknown_wrapper_hides_no_held_out_row(count):
    base = FakeEcho(split="ALL")
    base.outcome[7][3] = "VAL"
    with pytest.raises(EchoAugmentError, match=r"\(real7.avi\) is in the VAL split"):
        SyntheticAugment(Holds(base, count), SOURCE, adapter=lambda clip, rng: 0)


def test_a_stack_of_datasets_is_looked_through():
    stack = torch.utils.data.StackDataset(video=FakeEcho(split="VAL"), name=list(range(12)))
    with pytest.raises(EchoAugmentError, match="VAL split"):
        SyntheticAugment(stack, SOURCE, adapter=lambda clip, rng: 0)


# ---------------------------------------------------------------------------------------------------------- patients
@pytest.fixture
def patients(tmp_path):
    """Patient ``p1`` is in TRAIN (``a``, ``b``) and in VAL (``v``); who ``c``, ``d`` and ``w`` are is not said."""
    videos = tmp_path / "people" / "Videos"
    videos.mkdir(parents=True)
    rows = [("a", "p1", "TRAIN"), ("b", "p1", "TRAIN"), ("c", "", "TRAIN"), ("d", "N/A", "TRAIN"), ("e", "p2", "TRAIN")]
    rows += [("v", " p1 ", "VAL"), ("w", "n/a", "TEST")]
    for seed, (name, *_) in enumerate(rows):
        frames = np.random.default_rng(seed).integers(0, 256, (20, 16, 16), dtype=np.uint8)
        write_video(videos / f"{name}.avi", frames, 50.0)
    lines = ["FileName,EF,Patient ID,Split", *(f"{name},50,{who},{split}" for name, who, split in rows)]
    (tmp_path / "people" / "FileList.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "people"


def test_a_donor_of_a_held_out_patient_is_refused(patients):
    base = EchoNetDynamic(patients, "train", length=2, period=1)
    for donors in (of("c", "d", "e"), of("e")):
        assert len(SyntheticAugment(base, donors)) == 5
    with pytest.raises(EchoAugmentError, match="or show their patients: a shows the patient of v"):
        SyntheticAugment(base, of("e", "a"))
    with pytest.raises(EchoAugmentError, match="donors show patients of held-out videos: a shows the same patient as"):
        table = read_table(patients)
        refuse_leaks(table.split("train"), table.split("val"))


def test_a_donor_of_a_patient_in_the_other_part_of_a_subset_is_refused(patients):
    base = Subset(EchoNetDynamic(patients, "train", length=2, period=1), [0, 2, 3])  # p1's b is left out
    text = (patients / "FileList.csv").read_text().replace("v,50, p1 ,", "v,50,p9,")
    (patients / "FileList.csv").write_text(text)
    assert len(SyntheticAugment(base, of("c"))) == 3
    with pytest.raises(EchoAugmentError, match="does not serve: a shows the patient of b"):
        SyntheticAugment(base, of("a"))
    assert len(SyntheticAugment(base, of("a"), donors="table")) == 3


def test_patients_by_a_map_of_columns_and_in_doctor(patients):
    found = check_dataset(patients).errors
    assert [(one.kind, one.video) for one in found] == [("patient", "a")]
    assert "a (TRAIN) and v (VAL) show one patient" in found[0].message and "p1" not in found[0].message
    text = (patients / "FileList.csv").read_text().replace("Patient ID", "who")
    (patients / "FileList.csv").write_text(text)
    assert check_dataset(patients).errors == []  # nobody says what "who" is
    data = VideoTable(patients, "FileList.csv", {"patient": "who"}, videos="Videos", length=2, period=1)
    assert [row.patient for row in data.rows] == ["p1", "p1", "", "", "p2"]
    with pytest.raises(EchoAugmentError, match="a shows the patient of v"):
        SyntheticAugment(data, of("a"))


def test_patients_across_folds(patients):
    text = (patients / "FileList.csv").read_text()
    for old, new in (
        ("a,50,p1,TRAIN", "a,50,p1,3"),
        ("b,50,p1,TRAIN", "b,50,p1,4"),
        ("TRAIN", "0"),
        (" p1 ,VAL", ",8"),
    ):
        text = text.replace(old, new)
    (patients / "FileList.csv").write_text(text.replace("TEST", "9"))
    [found] = [one for one in check_dataset(patients).errors if one.kind == "patient"]
    assert "a (fold 3) and b (fold 4) show one patient" in found.message
    base = EchoNetDynamic(patients, [0, 3], length=2, period=1)
    with pytest.raises(EchoAugmentError, match="a shows the patient of b"):
        SyntheticAugment(base, of("a"), held_out=4)


def test_folds_that_are_named_replace_8_and_9_but_their_donors_stay_out_unless_served(root):
    base = EchoNetDynamic(root, [0, 1], require_tracings=False, on_error="skip", length=2, period=1)
    with pytest.raises(EchoAugmentError, match="does not serve"):
        SyntheticAugment(base, of("test"), held_out=2)
    others = EchoNetDynamic(root, [0, 9], require_tracings=False, on_error="skip", length=2, period=1)
    assert len(SyntheticAugment(others, of("test"), held_out=2)) == 2  # fold 2 is left out this time, 9 trains
    with pytest.raises(EchoAugmentError, match="split"):
        SyntheticAugment(others, of("test"))


# --------------------------------------------------------------------------------------- names and wrappers of others
@pytest.mark.parametrize("word", ["INTERNAL_TEST", "test2", "eval", "Valid.", "hold-out", "tst"])
def test_words_for_held_out_splits_that_others_use_are_refused(word):
    base = FakeEcho(split=word)
    with pytest.raises(EchoAugmentError, match=r"SyntheticAugment got the .* split"):
        SyntheticAugment(base, SOURCE)
    base.split = None
    with pytest.raises(EchoAugmentError, match=r"item 0 of the dataset .* is in the .* split"):
        SyntheticAugment(base, SOURCE)


@pytest.mark.parametrize("word", ["train_val", "trainval", "pool", "development"])
def test_other_words_are_taken(word):
    assert len(SyntheticAugment(FakeEcho(split=word), SOURCE)) == 12


class Holder(torch.utils.data.Dataset):
    """Somebody's wrapper: what it wraps is held under any name."""

    def __init__(self, **held):
        vars(self).update(held)
        self.length = len(FakeEcho())

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return FakeEcho()[index]


@pytest.mark.parametrize("held", ["_inner", "parts", "by_name"])
def test_a_wrapper_of_any_kind_does_not_hide_a_held_out_split(held):
    def wrap(inner):
        return Holder(**{held: {"_inner": inner, "parts": [inner], "by_name": {"one": inner}}[held]})

    with pytest.raises(EchoAugmentError, match="SyntheticAugment got the VAL split"):
        SyntheticAugment(wrap(FakeEcho(split="VAL")), SOURCE, adapter=lambda clip, real: real)
    assert len(SyntheticAugment(wrap(FakeEcho()), SOURCE, adapter=lambda clip, real: real)) == 12
    both = Holder(train=FakeEcho(), val=FakeEcho(split="VAL"))
    assert len(SyntheticAugment(both, SOURCE, adapter=lambda clip, real: real)) == 12, "which one it serves is unknown"


def test_two_datasets_that_know_each_other_wrap_nothing():
    train, val = FakeEcho(), FakeEcho(split="VAL")
    train.val, val.train = val, train
    assert len(SyntheticAugment(train, SOURCE)) == 12
    with pytest.raises(EchoAugmentError, match="SyntheticAugment got the VAL split"):
        SyntheticAugment(val, SOURCE)


@pytest.mark.parametrize("donor", ["HELD", "held.AVI", "Held"])
def test_a_held_out_donor_is_known_in_any_case(root, donor):
    with pytest.raises(EchoAugmentError, match=r"1 donors .* are VAL or TEST videos of .*: held among them"):
        SyntheticAugment(FakeEcho(root=root), of(donor, "one"))


def test_a_video_in_two_rows_is_held_out_if_one_of_them_says_so(root):
    with (root / "FileList.csv").open("a") as file:
        file.write("held,50,2\n")
    with pytest.raises(EchoAugmentError, match=r"are VAL or TEST videos of .*: held among them"):
        SyntheticAugment(FakeEcho(root=root), of("held", "one"))
