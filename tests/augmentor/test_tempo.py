"""Another tempo: who can read a video faster, and what is done where nobody can."""

import numpy as np
import pytest
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import ConcatDataset, Subset

from echo_augment.augmentor import ClassicalAugment, InMemoryClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.tempo import TEMPO, item_at_tempo, slowed
from echo_augment.training_recipes.training.batches import DecodedEcho


class Reader(FakeEcho):
    """Says at which tempo it was read."""

    def __init__(self, **options):
        super().__init__(**options)
        self.tempos = []

    def at_tempo(self, index, tempo):
        self.tempos.append(tempo)
        video, target = self[index]
        return (np.full_like(video, tempo), target), True


class Changed(Reader):
    def __getitem__(self, index):
        return super().__getitem__(index)

    __getitem__.echo_samples = True


def test_the_reader_is_found_through_wrappers():
    base = Reader(n=4)
    both = ConcatDataset([Subset(base, [3, 1]), FakeEcho(n=2)])
    for index, known in enumerate((True, True, False, False)):
        (video, _), read = item_at_tempo(both, index, 1.1)
        assert read is known and (video.max() == np.float32(1.1)) is np.bool_(known)
    assert item_at_tempo(both, 0, 1.1)[0][1] == base[3][1]
    assert item_at_tempo(both, 0, 1.0)[0][0].max() < 1, "its own tempo needs no reader"


def test_a_subclass_that_makes_its_items_anew_is_not_gone_around():
    (video, _), read = item_at_tempo(Changed(n=3), 1, 1.1)
    assert not read and video.max() < 1


def test_real_items_of_a_mix_change_and_clips_do_not():
    mixed = SyntheticAugment(Reader(n=12), InMemoryClips(make_clip(seed) for seed in range(4)), p=0.5)
    for index in range(12):
        (video, target), read = item_at_tempo(mixed, index, 0.9)
        assert read
        if mixed.is_synthetic(index):
            assert np.array_equal(video, mixed[index][0]) and target == mixed[index][1]
        else:
            assert video.max() == np.float32(0.9)


def test_frames_alone_can_only_be_slowed():
    assert slowed(5, 1.1, 0.7).tolist() == [0, 1, 2, 3, 4]
    assert slowed(5, 0.5, 0.0).tolist() == [0, 0.5, 1, 1.5, 2]
    assert slowed(5, 0.5, 1.0).tolist() == [2, 2.5, 3, 3.5, 4]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tempo")
    return write_phantoms(folder, 2, num_frames=60, workers=1, splits=(1, 0, 0), format=2)


@pytest.mark.parametrize("kind", [EchoNetDynamic, DecodedEcho])
def test_a_video_is_read_at_the_tempo_that_is_asked_for(root, kind):
    more = {"memory_mb": 100} if kind is DecodedEcho else {}
    data = kind(root, "train", "EF", length=8, period=4, require_tracings=False, **more)
    whole = DecodedEcho(root, "train", "EF", length=60, period=1, require_tracings=False)[0][0]
    for tempo in (0.9, 1.1):
        (video, ef), read = data.at_tempo(0, tempo)
        assert read and ef == data[0][1] and video.shape == data[0][0].shape
        start = data.choose(0, 60).at_tempo(tempo, 4, 60).starts[0]
        frames = start + np.rint(np.arange(8) * 4 * tempo).astype(int)
        assert np.array_equal(video, whole[:, frames])
    assert np.array_equal(data.at_tempo(0, 1.0)[0][0], data[0][0])


def test_a_choice_stays_in_its_video():
    from echo_augment.augmentor.data.sampling import Choice

    late = Choice(8, (31,))
    assert late.at_tempo(1.1, 4, 60).frames(4).max() == 59
    assert late.at_tempo(1.1, 4, 60).starts == (28,)
    assert late.at_tempo(0.9, 4, 60).starts == (31,)
    assert Choice(8, (0,)).at_tempo(1.1, 4, 29).frames(4).tolist() == [[0, 4, 8, 12, 16, 20, 24, 28]]
    assert Choice(8, (0,)).at_tempo(1.1, 4, 20).tempo == 1.0, "too short already: as it is, with frames of zeros"


def test_strong_augmentation_varies_the_tempo_both_ways_where_it_can():
    for amount in (1.0, 0.5):
        base = Reader(n=6)
        train = ClassicalAugment(base, strength="strong", amount=amount)
        for epoch in range(40):
            train.set_epoch(epoch)
            for index in range(6):
                train[index]
        low, high = (1 + amount * (end - 1) for end in TEMPO)
        assert len(base.tempos) == 40 * 6, "each item is read once, at a tempo"
        assert low <= min(base.tempos) < 1 - 0.08 * amount and 1 + 0.08 * amount < max(base.tempos) <= high
