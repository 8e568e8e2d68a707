"""The adapter against `EchoNetDynamic` on the very same frames: synthetic samples differ by their clip, not by form."""

import numpy as np
import pytest

from echo_augment.augmentor import EchoAdapter, InMemoryClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic, read_video, write_video
from echo_augment.augmentor.video_format import Window
from echo_augment.augmentor.wrapping import difference
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError

TARGETS = ["EF", "LargeIndex", "SmallIndex", "LargeFrame", "SmallFrame", "LargeTrace", "SmallTrace"]
MEAN, STD = np.array([32.6, 32.7, 33.0], np.float32), np.array([49.0, 50.0, 50.0], np.float32)
LARGE, SMALL = 5, 20


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two videos of 80 frames at 50/s; the LV of each is a square."""
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "Videos").mkdir()
    rows = ["FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"]
    traces = ["FileName,X1,Y1,X2,Y2,Frame"]
    for k, name in enumerate(("A", "B")):
        coarse = np.random.default_rng(k).integers(0, 256, (80, 8, 8), dtype=np.uint8)
        write_video(folder / "Videos" / f"{name}.avi", coarse.repeat(8, 1).repeat(8, 2), 50.0)
        rows.append(f"{name},{55 + k},40,90,64,64,50,80,TRAIN")
        for frame, half in ((SMALL, 6), (LARGE, 12)):  # the large one comes last
            traces.append(f"{name}.avi,32,{32 - half},32,{32 + half},{frame}")
            traces += [f"{name}.avi,{32 - half},{y},{32 + half},{y},{frame}" for y in range(32 - half, 33 + half)]
    (folder / "FileList.csv").write_text("\n".join(rows) + "\n")
    (folder / "VolumeTracings.csv").write_text("\n".join(traces) + "\n")
    return folder


def twin(root, name):
    """The clip that holds exactly the frames and labels of a video."""
    frames, fps = read_video(root / "Videos" / f"{name}.avi")
    masks = np.zeros(frames.shape, bool)
    for frame, half in ((LARGE, 12), (SMALL, 6)):
        masks[frame, 32 - half : 33 + half, 32 - half : 33 + half] = True
    return EchoClip(name, frames, fps, ef=55.0, ed_frame=LARGE, es_frame=SMALL, masks=masks)


@pytest.mark.parametrize("changes", [{}, {"length": None, "period": 3}, {"length": 50, "period": 2}, {"clips": 2}])
def test_the_same_frames_give_the_same_sample(root, changes):
    base = EchoNetDynamic(root, target_type=TARGETS, mean=MEAN, std=STD, pad=4, **{"length": 12, **changes})
    adapter = EchoAdapter.of(base)
    choice = base.choose(0, 80)
    video, targets = base.read(0, choice)
    clip = twin(root, "A")
    made = adapter.video.video(clip, Window(choice.frames(base.period).astype(float), choice.corner, 0))
    close = 3 / 49  # JPEG's colour noise, up to two grey levels
    assert made.shape == video.shape and np.abs(made - video).max() < close
    for name, real in zip(TARGETS, targets, strict=True):
        synthetic = adapter.target(name, clip)
        assert difference(real, synthetic) is None
        assert np.mean(np.abs(real - synthetic) > close) < 0.02, name  # a trace's border is a matter of rounding


@pytest.mark.parametrize("clips", [1, 2])
def test_a_wrapped_reader_serves_samples_of_one_form(root, clips):
    base = EchoNetDynamic(root, target_type=TARGETS, mean=MEAN, std=STD, length=12, pad=4, clips=clips)
    train = SyntheticAugment(base, InMemoryClips([twin(root, "A")]), p=0.5)
    real, synthetic = sorted(range(2), key=train.is_synthetic)
    assert difference(train[real], train[synthetic]) is None
    assert all(np.array_equal(one, other) for one, other in zip(train[real][1], base[real][1], strict=True))


def test_rate_and_size_come_from_the_table_and_the_index_counts_at_that_rate(root):
    base = EchoNetDynamic(root, target_type="LargeIndex")
    adapter = EchoAdapter.of(base)
    assert (adapter.video.fps, adapter.video.size) == (50.0, (64, 64))
    slow = EchoClip("slow", np.zeros((16, 112, 112), np.uint8), 12.5, ed_frame=3)
    assert adapter.target("LargeIndex", slow) == 12
    assert adapter(slow, np.random.default_rng(0))[0].shape == (3, 16, 64, 64)
    assert EchoAdapter.of(base, fps=25).video.fps == 25


def test_echonets_own_dataset(root):
    """The real package, where it is installed."""
    echonet = pytest.importorskip("echonet", reason="echonet is not on the package index; see the README")
    targets = ["EF", "Filename", "LargeFrame", "SmallFrame"]
    base = echonet.datasets.Echo(str(root), target_type=targets, mean=MEAN, std=STD, length=12, pad=4)
    state = np.random.get_state()[1].tobytes()
    train = SyntheticAugment(base, InMemoryClips([twin(root, "A")]), p=0.5)
    real, synthetic = sorted(range(2), key=train.is_synthetic)
    made = train[synthetic]
    assert np.random.get_state()[1].tobytes() == state
    assert difference(base[real], made) is None and difference(train[real], made) is None
    if not hasattr(np, "int"):
        with pytest.raises(EchoAugmentError, match="EchoNetDynamic"):
            SyntheticAugment(echonet.datasets.Echo(str(root), target_type="LargeTrace"), train.source)
