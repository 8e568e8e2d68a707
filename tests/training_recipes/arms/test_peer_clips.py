"""The arm of other people's clips: it takes imported sets only, with their own labels, and says what is not known."""

import numpy as np
import pytest
from fakes.echo import FakeEcho, make_clip
from fakes.peers import ROWS, write_set

from echo_augment.augmentor import ClassicalAugment, SyntheticAugment
from echo_augment.cache import EchoAugmentError, StoreWriter
from echo_augment.training_recipes.arms import TrainingSet, make_arm, peer, source_of
from echo_augment.training_recipes.arms.peer_clips import peer_notes
from echo_augment.training_recipes.filling.peers import import_peer_clips

SPEC = {"_target_": "echo_augment.training_recipes.arms.peer", "clips": "peer", "p": 0.5}


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peer")
    import_peer_clips(write_set(folder / "set", ROWS), folder / "cache", origin="EchoFlow", progress=False)
    return {"peer": folder / "cache"}


def given(caches):
    return TrainingSet(real=FakeEcho(n=8), labelled=("real0",), caches=caches, seed=3)


def test_half_of_the_items_are_their_clips_with_their_labels(caches):
    mixed = make_arm(SPEC)(given(caches))
    assert isinstance(mixed, SyntheticAugment) and len(mixed) == 8
    made = [mixed[i][1] for i in range(8) if mixed.is_synthetic(i)]
    assert len(made) == 4 and set(np.float64(made)) <= {55.5, 30.0}, "whatever the run's labelled videos are"
    assert isinstance(peer(given(caches), classical_p=1.0), ClassicalAugment)


def test_clips_can_be_left_out(caches, tmp_path):
    (tmp_path / "exclude.txt").write_text("a\n")
    assert source_of(peer(given(caches), exclude=str(tmp_path / "exclude.txt"))).ef.tolist() == [30.0]


def test_our_own_clips_do_not_come_in_by_this_door(tmp_path):
    with StoreWriter(tmp_path / "ours") as writer:
        writer.add(make_clip(1))
    with pytest.raises(EchoAugmentError, match=r"ours does not hold an imported synthetic set"):
        peer(given({"peer": tmp_path / "ours"}))
    with pytest.raises(
        EchoAugmentError, match=r"needs a cache of peer clips, which was not given.* \+caches\.peer=OUT"
    ):
        peer(given({}))


def test_the_report_says_whose_clips_they_are_and_what_is_not_known(caches):
    (note,) = peer_notes({"real": {}, "peer": SPEC}, caches)
    assert note.startswith("The arm peer trains with 2 clips of EchoFlow (peer-")
    assert "not tied to the labelled videos" in note
    assert peer_notes({"real": {}}, {}) == []
    with pytest.raises(EchoAugmentError, match="needs a cache of peer clips"):
        peer_notes({"peer": SPEC}, {})
