"""Promise 3 at the wrapper: held-out hearts are refused by split, fold, name and content."""

import shutil

import numpy as np
import pytest
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import Subset

from echo_augment.augmentor import InMemoryClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic, VideoInfo, write_video
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
    assert len(SyntheticAugment(FakeEcho(root=root), of("one", "dot.ted", "lost", "stranger"))) == 12


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
    assert len(SyntheticAugment(FakeEcho(root=root), of("held"), held_out=0)) == 12
