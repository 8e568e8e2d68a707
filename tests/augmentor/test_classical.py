import random

import albumentations as A
import numpy as np
import pytest
import torch
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import DataLoader

from echo_augment.augmentor import ClassicalAugment, ImageFields, InMemoryClips, SyntheticAugment
from echo_augment.augmentor.wrapping import difference
from echo_augment.cache.errors import EchoAugmentError

SIDE = 48
TARGETS = ["EF", "LargeFrame", "LargeTrace", "SmallTrace"]


class Square(FakeEcho):
    """Videos of a grey square on black, its trace, and the first frame as a target."""

    def __init__(self, **changes):
        super().__init__(n=6, **{"target_type": TARGETS, **changes})

    def __getitem__(self, index):
        mask = np.zeros((SIDE, SIDE), np.float32)
        mask[14:34, 12 + index : 32 + index] = 1
        grey = mask * 150
        video = np.broadcast_to(grey, (3, self.length, SIDE, SIDE)) - np.reshape(self.mean, (3, 1, 1, 1))
        video = (video / np.reshape(self.std, (3, 1, 1, 1))).astype(np.float32)
        return video, (np.float32(50 + index), video[:, 0].copy(), mask, mask.copy())

    __getitem__.echo_samples = True


def grey(base, video):
    return video * base.std.reshape(3, 1, 1, 1) + base.mean.reshape(3, 1, 1, 1)


def test_form_stays_and_something_happens():
    base = Square()
    train = ClassicalAugment(base)
    for index in range(6):
        assert difference(base[index], train[index]) is None
        assert not np.array_equal(base[index][0], train[index][0]) and base[index][1][0] == train[index][1][0]


def test_every_frame_target_and_trace_moves_alike():
    base = Square()
    train = ClassicalAugment(base, transform=A.Affine(translate_percent=(0.1, 0.2), rotate=(-20, 20), p=1))
    for index in range(6):
        video, (_, frame, large, small) = train[index]
        assert all(np.array_equal(video[:, 0], video[:, t]) for t in range(1, video.shape[1]))
        assert np.array_equal(frame, video[:, 0]) and np.array_equal(large, small)
        assert set(np.unique(large)) == {0, 1} and not np.array_equal(large, base[index][1][2])
        inside = grey(base, video)[0, 0] > 75
        assert np.mean(inside != (large == 1)) < 0.02, "the trace lies where the square is"


def test_black_stays_black():
    base = Square()
    train = ClassicalAugment(base)
    for epoch in range(5):
        train.set_epoch(epoch)
        for index in range(6):
            corners = grey(base, train[index][0])[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
            assert np.abs(corners).max() < 1e-3


def test_default_transforms_keep_the_ratio_of_areas():
    """EF lives in the ratio of two areas; 2 % is the rounding of pixels."""
    train = ClassicalAugment(Ratio())
    for epoch in range(20):
        train.set_epoch(epoch)
        _, (large, small) = train[0]
        assert small.sum() / large.sum() == pytest.approx(24**2 / 60**2, rel=0.05)


class Ratio(FakeEcho):
    def __init__(self):
        super().__init__(n=1, target_type=["LargeTrace", "SmallTrace"])

    def __getitem__(self, index):
        masks = np.zeros((2, 112, 112), np.float32)
        masks[0, 26:86, 26:86] = masks[1, 44:68, 44:68] = 1
        return np.zeros((3, 2, 112, 112), np.float32), (masks[0], masks[1])

    __getitem__.echo_samples = True


def batches(train, workers, method=None):
    loader = DataLoader(train, batch_size=3, num_workers=workers, multiprocessing_context=method)
    found = []
    for epoch in range(2):
        train.set_epoch(epoch)
        found += [video.numpy() for video, _ in loader]
    return found


def test_draws_are_of_seed_epoch_and_index_whatever_the_workers():
    plain = batches(ClassicalAugment(Square(), seed=1), 0)
    assert len({video[k].tobytes() for video in plain for k in range(3)}) == 12
    made = batches(ClassicalAugment(Square(), seed=1), 2, "fork")
    assert all(np.array_equal(one, other) for one, other in zip(plain, made, strict=True))
    assert not np.array_equal(batches(ClassicalAugment(Square(), seed=2), 0)[0], plain[0])


def test_steps_do_not_share_their_draws():
    """`Compose.set_random_seed` gives every step the same stream, so that steps of equal chance fire together."""
    steps = [A.RandomGamma((50, 50), p=0.5), A.HorizontalFlip(p=0.5)]
    train = ClassicalAugment(Square(), transform=A.Compose(steps))
    fired = set()
    for epoch in range(10):
        train.set_epoch(epoch)
        for index in range(6):
            video, (_, _, mask, _) = train[index]
            fired.add((bool(grey(train.base, video).max() > 160), not np.array_equal(mask, train.base[index][1][2])))
    assert len(fired) == 4


def test_no_global_random_state_is_touched():
    train = ClassicalAugment(Square())
    before = (random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes())
    train[0], train[1]
    assert before == (random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes())


def test_both_orders_with_synthetic_clips():
    source = InMemoryClips(make_clip(seed, side=SIDE) for seed in range(4))
    inside = SyntheticAugment(ClassicalAugment(Square()), source, p=0.5)
    outside = ClassicalAugment(SyntheticAugment(Square(), source, p=0.5))
    plain = SyntheticAugment(Square(), source, p=0.5)
    for index in range(6):
        assert difference(plain[index], inside[index]) is None and difference(plain[index], outside[index]) is None
        changed = not np.array_equal(inside[index][0], plain[index][0])
        assert changed is not plain.is_synthetic(index)
        assert not np.array_equal(outside[index][0], plain[index][0])
    outside.set_epoch(3)
    assert outside.base.epoch == 3 and outside.base.base.epoch == 3
    longer = ClassicalAugment(SyntheticAugment(Square(), source, p=0.5, mode="extend"))
    assert len(list(longer)) == 12


def test_several_clips_an_item_get_one_transform():
    class Many(Square):
        def __getitem__(self, index):
            video, target = super().__getitem__(index)
            return np.stack([video, video]), target

        __getitem__.echo_samples = True

    video, _ = ClassicalAugment(Many(clips=2))[0]
    assert video.shape[0] == 2 and np.array_equal(video[0], video[1])


def test_dicts_and_tensors_by_fields():
    class Dicts(torch.utils.data.Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            video = torch.zeros(1, 4, 32, 32)
            video[..., 8:20, 8:20] = 0.5
            return {"name": "x", "nested": (video, 3), "mask": video[0] > 0}

    fields = ImageFields(video=("nested", 0), masks=["mask"], std=255)
    base = Dicts()
    train = ClassicalAugment(base, fields=fields, transform=A.HorizontalFlip(p=1))
    sample = train[0]
    assert difference(base[0], sample) is None and sample["nested"][1] == 3
    assert torch.allclose(sample["nested"][0], base[0]["nested"][0].flip(-1))
    assert torch.equal(sample["mask"], base[0]["mask"].flip(-1))
    with pytest.raises(EchoAugmentError, match=r"Dicts sample are. Give it fields="):
        ClassicalAugment(base)


def test_colour_is_kept():
    class Red(Square):
        def __getitem__(self, index):
            video, target = super().__getitem__(index)
            video[0] += 1
            return video, target

        __getitem__.echo_samples = True

    video, _ = ClassicalAugment(Red(), transform=A.HorizontalFlip(p=1))[0]
    assert np.allclose(video, Red()[0][0][..., ::-1], atol=1e-4)


def test_p_is_the_share_of_transformed_items():
    train, changed = ClassicalAugment(Square(), p=0.5), 0
    for epoch in range(20):
        train.set_epoch(epoch)
        changed += sum(not np.array_equal(train[i][0], train.base[i][0]) for i in range(6))
    assert 40 < changed < 80
    with pytest.raises(EchoAugmentError, match=r"p must be in \[0, 1\], got 2"):
        ClassicalAugment(Square(), p=2)


class Beat(FakeEcho):
    """Grey videos whose level is the frame's number, so that a change of tempo can be read off."""

    def __getitem__(self, index):
        grey = np.zeros((3, self.length, SIDE, SIDE), np.float32)
        grey[:, :, 16:32, 16:32] = (50 + 10 * np.arange(self.length, dtype=np.float32))[:, None, None]
        video = (grey - np.reshape(self.mean, (3, 1, 1, 1))) / np.reshape(self.std, (3, 1, 1, 1))
        return video.astype(np.float32), np.float32(50)

    __getitem__.echo_samples = True


def test_strong_augmentation_keeps_the_form_and_moves_traces_along():
    base = Square()
    train = ClassicalAugment(base, strength="strong")
    for epoch in range(4):
        train.set_epoch(epoch)
        for index in range(6):
            video, (ef, frame, large, small) = train[index]
            assert difference(base[index], train[index]) is None and ef == base[index][1][0]
            assert np.allclose(frame, video[:, 0], atol=1e-5) and np.array_equal(large, small)
            inside = grey(base, video)[0, 0] > 40
            assert np.mean(inside != (large == 1)) < 0.05, "the trace lies where the square is"
            assert np.abs(grey(base, video)[..., [0, -1], [0, -1]]).max() < 1e-2, "black stays black"


def test_strong_augmentation_slows_items_that_cannot_be_read_anew():
    base = Beat(n=6)
    train = ClassicalAugment(base, strength="strong")
    steps = []
    for epoch in range(6):
        train.set_epoch(epoch)
        for index in range(6):
            peak = grey(base, train[index][0])[0].max((1, 2))
            steps.append((peak[-1] - peak[0]) / max(peak[0], 1))
    plain = (50 + 70 - 50) / 50
    assert min(steps) < 0.95 * plain and len(set(np.round(steps, 3))) > 10


def test_strength_and_transform_do_not_go_together():
    with pytest.raises(EchoAugmentError, match="Leave one of them out"):
        ClassicalAugment(Square(), strength="strong", transform=A.HorizontalFlip(p=1))
    with pytest.raises(EchoAugmentError, match=r"amount=0\.5"):
        ClassicalAugment(Square(), amount=0.5)
    with pytest.raises(EchoAugmentError, match=r"strength must be one of mild, strong"):
        ClassicalAugment(Square(), strength="heavy")
    with pytest.raises(EchoAugmentError, match=r"amount must be in \[0, 1\]"):
        ClassicalAugment(Square(), strength="strong", amount=2)


def test_strong_draws_are_of_seed_epoch_and_index_whatever_the_workers():
    plain = batches(ClassicalAugment(Square(), strength="strong", seed=1), 0)
    assert len({video[k].tobytes() for video in plain for k in range(3)}) == 12
    made = batches(ClassicalAugment(Square(), strength="strong", seed=1), 2, "fork")
    assert all(np.array_equal(one, other) for one, other in zip(plain, made, strict=True))
