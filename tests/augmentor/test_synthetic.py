import json
import pickle
import random
import sys
import types

import numpy as np
import pytest
import torch
from fakes.echo import TARGETS, FakeEcho, make_clip, same
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import ConcatDataset, Subset, default_collate

from echo_augment.augmentor import CachedClips, EchoAdapter, InMemoryClips, SyntheticAugment, VideoFormat
from echo_augment.augmentor.wrapping import difference
from echo_augment.cache import EchoAugmentError, StoreWriter

SOURCE = InMemoryClips(make_clip(seed) for seed in range(10))


@settings(max_examples=60, deadline=None)
@given(
    target_type=st.lists(st.sampled_from(TARGETS), max_size=4, unique=True),
    length=st.one_of(st.none(), st.integers(1, 40)),
    period=st.integers(1, 5),
    max_length=st.one_of(st.none(), st.just(6)),
    clips=st.sampled_from([1, 3, "all"]),
    pad=st.sampled_from([None, 2]),
    noise=st.sampled_from([None, 0.1]),
    scalar=st.booleans(),
)
def test_a_synthetic_sample_has_the_form_of_a_real_one(target_type, length, clips, scalar, **changes):
    base = FakeEcho(target_type=target_type, length=length, clips=clips, **changes)
    if scalar:
        base.mean, base.std = 30.0, 50.0
    train = SyntheticAugment(base, SOURCE, p=1.0)
    assert difference(base[0], train[0], shapes=length is not None and clips != "all") is None


def test_p_0_is_the_dataset_and_p_1_has_none_of_it():
    base = FakeEcho()
    plain = SyntheticAugment(base, SOURCE, p=0.0)
    assert all(same(plain[i], base[i]) for i in range(len(base)))
    full = SyntheticAugment(FakeEcho(target_type="Filename"), SOURCE, p=1.0)
    assert all(full[i][1].startswith("clip") for i in range(len(full)))


def test_the_decision_is_the_one_announced():
    train = SyntheticAugment(FakeEcho(target_type="Filename"), SOURCE, p=0.5, seed=4)
    names = [train[i][1] for i in range(len(train))]
    assert [name.startswith("clip") for name in names] == [train.is_synthetic(i) for i in range(len(train))]
    assert sum(name.startswith("clip") for name in names) == 6
    assert train.stats() == {"epoch": 0, "real": 6, "cached": 6, "fresh": 0, "fallback": 0}


def test_items_depend_on_seed_epoch_and_index_only():
    def items(seed, epoch, order):
        train = SyntheticAugment(FakeEcho(), SOURCE, seed=seed)
        train.set_epoch(epoch)
        made = {i: train[i] for i in order}
        return [made[i] for i in range(12)]

    first = items(1, 2, range(12))
    assert same(items(1, 2, reversed(range(12))), first)
    assert not same(items(2, 2, range(12)), first) and not same(items(1, 3, range(12)), first)


def test_windows_and_crops_differ_between_epochs():
    train = SyntheticAugment(FakeEcho(length=2), InMemoryClips([make_clip(0)]), p=1.0)
    seen = []
    for epoch in range(4):
        train.set_epoch(epoch)
        seen.append(train[0][0])
    assert len({video.tobytes() for video in seen}) == 4


def test_no_global_random_state_is_read_or_advanced():
    train = SyntheticAugment(FakeEcho(noise=0.1), SOURCE, p=0.5)
    states = []
    for seed in (0, 1):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = (random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes())
        states.append([train[i] for i in range(len(train))])
        after = (random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes())
        assert before == after
    assert same(states[0], states[1])


def test_indices_from_the_end_and_past_it():
    train = SyntheticAugment(FakeEcho(), SOURCE)
    assert same(train[-1], train[11]) and same(train[torch.tensor(3)], train[3])
    assert len(list(train)) == 12
    with pytest.raises(IndexError):
        train[12]


def test_extend_appends():
    base = FakeEcho(target_type="Filename")
    train = SyntheticAugment(base, SOURCE, p=0.5, mode="extend")
    names = [sample[1] for sample in train]
    assert names[:12] == base.fnames and len(names) == 24
    assert all(name.startswith("clip") for name in names[12:])


def test_bins_draw_clips_of_the_same_ef():
    clips = [make_clip(seed, ef=ef) for seed, ef in enumerate([22.0, 25.0, 60.0])]
    train = SyntheticAugment(FakeEcho(), InMemoryClips(clips), p={(20, 26): 1.0, (26, 100): 0.0})
    efs = [float(train[i][1]) for i in range(12)]
    assert set(efs[:6]) == {22.0, 25.0} and efs[6:] == [26.0, 27, 28, 29, 30, 31]
    with pytest.raises(EchoAugmentError, match=r"no clip with EF in \[30, 31\)"):
        SyntheticAugment(FakeEcho(), InMemoryClips(clips), p={(30, 31): 0.5})


def test_a_schedule_follows_the_epoch():
    train = SyntheticAugment(FakeEcho(), SOURCE, p=[0.0, 0.5, 1.0])
    shares = []
    for epoch in range(4):
        train.set_epoch(epoch)
        shares.append(sum(train.is_synthetic(i) for i in range(12)))
    assert shares == [0, 6, 12, 12]


def test_the_epoch_reaches_the_dataset_below():
    base = FakeEcho()
    train = SyntheticAugment(Subset(ConcatDataset([base]), range(6)), SOURCE, p=0.0)
    train.set_epoch(2)
    assert base.epoch == 2 and train[1][0].max() == np.float32(0.201)


def test_state_is_small_json_and_restores():
    train = SyntheticAugment(FakeEcho(), SOURCE, seed=7)
    train.set_epoch(5)
    state = json.loads(json.dumps(train.state_dict()))
    again = SyntheticAugment(FakeEcho(), SOURCE, seed=7)
    again.load_state_dict(state)
    assert again.epoch == 5 and same([again[i] for i in range(12)], [train[i] for i in range(12)])
    with pytest.raises(EchoAugmentError, match="seed=7, this SyntheticAugment has 8"):
        SyntheticAugment(FakeEcho(), SOURCE, seed=8).load_state_dict(state)


def test_a_pickled_copy_gives_the_same_items_and_its_own_epoch():
    train = SyntheticAugment(FakeEcho(), SOURCE)
    train.set_epoch(3)
    copy = pickle.loads(pickle.dumps(train))  # noqa: S301  our own bytes
    assert same([copy[i] for i in range(12)], [train[i] for i in range(12)])
    copy.set_epoch(4)
    assert train.epoch == 3


def test_weights_and_provenance_ride_along_and_collate():
    train = SyntheticAugment(FakeEcho(), SOURCE, p=0.5, weights=True, provenance=True)
    samples = [train[i] for i in range(12)]
    for place, (_, _, weight, origin) in enumerate(samples):
        made = train.is_synthetic(place)
        assert weight == np.float32(0.5 if made else 1.0) and weight.dtype == np.float32
        assert origin["synthetic"] is made and origin["motion_donor"].startswith("motion" if made else "")
    batch = default_collate(samples)
    assert batch[2].shape == (12,) and len(batch[3]["clip_id"]) == 12


class Dicts(torch.utils.data.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return {"video": torch.zeros(1, 8, 16, 16), "ef": torch.tensor(50.0)}


def to_dict(clip, rng):
    video = VideoFormat(length=8, period=4, channels=1, mean=30.0, std=50.0)(clip, rng)
    return {"video": torch.from_numpy(video), "ef": torch.tensor(clip.ef, dtype=torch.float32)}


def test_dicts_by_an_adapter():
    train = SyntheticAugment(Dicts(), SOURCE, adapter=to_dict, weights=True)
    assert default_collate(list(train))["video"].shape == (6, 1, 8, 16, 16)
    assert {float(train[i]["weight"]) for i in range(6)} == {0.5, 1.0}
    with pytest.raises(EchoAugmentError, match="does not know what a sample of Dicts looks like"):
        SyntheticAugment(Dicts(), SOURCE)


class Tuples(torch.utils.data.Dataset):
    """Another dataset's samples: a grey NumPy video, and a target of two parts."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return np.zeros((1, 8, 12, 12), np.float32), (np.float32(50), f"real{index}")


def to_tuple(clip, rng):
    video = VideoFormat(length=8, period=4, channels=1, mean=30.0, std=50.0, size=(12, 12))(clip, rng)
    return video, (np.float32(clip.ef), clip.clip_id)


@pytest.mark.parametrize("base", [Tuples(), Subset(Tuples(), [4, 1, 3]), ConcatDataset([Tuples(), Tuples()])])
def test_tuples_of_another_dataset_by_an_adapter(base):
    train = SyntheticAugment(base, SOURCE, adapter=to_tuple, p=0.5)
    samples = list(train)
    assert all(difference(base[0], sample) is None for sample in samples)
    assert sum(name.startswith("clip") for _, (_, name) in samples) == train.stats()["cached"] > 0


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        (lambda clip, rng: (1, 2), "is dict in the dataset and tuple"),
        (lambda clip, rng: {"video": 1}, "has the keys"),
        (lambda clip, rng: to_dict(clip, rng) | {"ef": torch.tensor(1)}, r"\['ef'\] is torch.float32 in the dataset"),
        (lambda clip, rng: to_dict(clip, rng) | {"video": torch.zeros(1, 9, 16, 16)}, r"\(1, 8, 16, 16\)"),
    ],
)
def test_an_adapter_that_makes_another_form_is_an_error(adapter, words):
    train = SyntheticAugment(Dicts(), SOURCE, adapter=adapter)
    with pytest.raises(EchoAugmentError, match=words):
        list(train)


def test_parts_of_a_concatenation_keep_their_own_normalisation():
    other = FakeEcho(n=5, mean=0.0, std=1.0, pad=None)
    train = SyntheticAugment(ConcatDataset([Subset(FakeEcho(), range(4)), other]), SOURCE, p=1.0)
    assert [train[i][0].max() < 10 for i in range(9)] == [True] * 4 + [False] * 5


@pytest.mark.parametrize("split", ["val", "TEST", "external_test", ["TRAIN", "VAL"]])
def test_held_out_splits_are_refused(split):
    with pytest.raises(EchoAugmentError, match=r"split\. Wrap the TRAIN split"):
        SyntheticAugment(FakeEcho(split=split), SOURCE)


def test_held_out_rows_of_a_whole_dataset_are_refused():
    base = FakeEcho(split="ALL")
    base.outcome[7][3] = "Test"
    with pytest.raises(EchoAugmentError, match=r"item 7 .*real7.avi.* TEST split"):
        SyntheticAugment(base, SOURCE)
    assert len(SyntheticAugment(Subset(base, range(7)), SOURCE)) == 7


def test_donors_from_held_out_videos_are_refused(tmp_path):
    (tmp_path / "FileList.csv").write_text("FileName,EF,Split\nmotion3.avi,50,VAL\nmotion4,50,TRAIN\n")
    with pytest.raises(EchoAugmentError, match=r"1 donors .* motion3"):
        SyntheticAugment(FakeEcho(root=tmp_path), SOURCE)
    SyntheticAugment(FakeEcho(root=tmp_path), InMemoryClips([make_clip(4)]))


@pytest.mark.parametrize(
    ("target", "words"),
    [("EDV", "EDV: a volume in mL .* EF is a ratio"), ("FPS", "'FPS' has no honest value .* adapter=")],
)
def test_targets_without_an_honest_value_are_refused(target, words):
    with pytest.raises(EchoAugmentError, match=words):
        SyntheticAugment(FakeEcho(target_type=["EF", target]), SOURCE)


def test_targets_that_echonet_cannot_make_on_this_numpy_name_the_way_out(monkeypatch):
    module = types.ModuleType("echonet.datasets.echo")
    theirs = type("Echo", (FakeEcho,), {"__module__": module.__name__})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delattr(np, "int", raising=False)
    with pytest.raises(EchoAugmentError, match=r"np\.int.*EchoNetDynamic"):
        EchoAdapter.of(theirs(target_type=["EF", "LargeTrace"]))
    assert EchoAdapter.of(theirs(target_type=["EF", "LargeFrame"])).targets == ("EF", "LargeFrame")


@pytest.mark.parametrize(
    ("changes", "target", "words"),
    [
        ({"ef": float("nan")}, "EF", "1 of 2 synthetic clips have no EF"),
        ({"ed_frame": -1}, "LargeIndex", "no ED frame"),
        ({"es_frame": -1}, "SmallFrame", "no ES frame"),
        ({"masks": None}, "LargeTrace", "no LV mask"),
    ],
)
def test_clips_that_lack_what_a_target_needs_are_refused_at_once(changes, target, words):
    source = InMemoryClips([make_clip(0, **changes), make_clip(1)])
    with pytest.raises(EchoAugmentError, match=words):
        SyntheticAugment(FakeEcho(target_type=target), source)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"p": 1.5}, "got 1.5"),
        ({"mode": "append"}, "mode must be"),
        ({"seed": -1}, "seed must be"),
        ({"source": InMemoryClips([])}, "no clip. Fill the cache first"),
        ({"mode": "extend", "p": [0.1, 0.2]}, "length cannot change"),
        ({"base": FakeEcho(n=0)}, "empty"),
        ({"p": {(0, 50): 0.5}, "ef": [1.0]}, r"one value per item, \(12,\), got \(1,\)"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(EchoAugmentError, match=words):
        SyntheticAugment(**{"base": FakeEcho(), "source": SOURCE, **arguments})


@pytest.mark.parametrize("epoch", [-1, 1.5, True, "2"])
def test_a_bad_epoch_is_named_and_changes_nothing(epoch):
    train = SyntheticAugment(FakeEcho(), SOURCE)
    with pytest.raises(EchoAugmentError, match="epoch must be a whole number"):
        train.set_epoch(epoch)
    assert train.epoch == 0


def modules_run_by(action):
    """Names of our modules whose code ``action`` executes."""
    seen = set()

    def notice(frame, event, _):
        if event == "call":
            seen.add(frame.f_globals.get("__name__", ""))

    before = sys.getprofile()
    sys.setprofile(notice)
    try:
        action()
    finally:
        sys.setprofile(before)
    return sorted(name for name in seen if name.startswith("echo_augment."))


def test_a_reader_follows_an_item_through_few_files(tmp_path):
    with StoreWriter(tmp_path) as writer:
        for seed in range(4):
            writer.add(make_clip(seed))
    train = SyntheticAugment(FakeEcho(), CachedClips(tmp_path), p=1.0)
    walked = modules_run_by(lambda: train[3])
    assert "echo_augment.cache.system.files" in walked, "down to the bytes"
    assert len(walked) <= 14, walked
