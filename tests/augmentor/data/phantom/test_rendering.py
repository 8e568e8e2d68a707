"""What is drawn: masks, tracings, speckle that moves with the tissue, counterfactuals."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import PhantomClip, counterfactual, render, sample_phantom
from echo_augment.augmentor.data.phantom.geometry import pose_at
from echo_augment.augmentor.data.phantom.mover import Mover
from echo_augment.augmentor.data.phantom.sector import make_sector
from echo_augment.cache.errors import EchoAugmentError


@pytest.fixture(scope="module")
def clips() -> list[PhantomClip]:
    return [render(p.motion, p.appearance) for p in map(sample_phantom, range(20, 26))]


def disc_volume(mask: np.ndarray, tracing: np.ndarray) -> float:
    """Volume in cubic pixels from a mask alone: its width across the tracing's long axis, at 20 places."""
    x1, y1, x2, y2 = tracing[0]
    length = np.hypot(x2 - x1, y2 - y1)
    along = np.array([x2 - x1, y2 - y1]) / length
    across = np.array([along[1], -along[0]])
    places, steps = (np.arange(20) + 0.5) / 20 * length, np.arange(-60, 60, 0.1)
    points = np.array([x1, y1]) + places[:, None, None] * along + steps[None, :, None] * across
    large = cv2.remap(
        mask.astype(np.float32), points[..., 0].astype(np.float32), points[..., 1].astype(np.float32), cv2.INTER_LINEAR
    )
    width = (large > 0.5).sum(axis=1) * 0.1
    return float((np.pi / 4 * width**2).sum() * length / 20)


def test_shapes_and_types(clips: list[PhantomClip]):
    clip = clips[0]
    assert clip.frames.shape == (100, 112, 112) and clip.frames.dtype == np.uint8
    assert clip.masks.shape == (100, 112, 112) and clip.masks.dtype == bool
    assert clip.tracing(3).shape == (21, 4)
    assert clip.fps == 50


def test_same_arguments_same_pixels():
    heart = sample_phantom(31)
    first, again = (render(heart.motion, heart.appearance, num_frames=8) for _ in range(2))
    assert (first.frames == again.frames).all()
    other = render(heart.motion, heart.appearance, num_frames=8, seed=1)
    assert (other.masks == first.masks).all() and other.ef == first.ef
    assert (other.frames != first.frames).mean() > 0.1


def test_the_masks_give_the_reported_ef(clips: list[PhantomClip]):
    for clip in clips:
        edv, esv = (disc_volume(clip.masks[t], clip.tracing(t)) for t in (clip.ed_frame, clip.es_frame))
        assert 100 * (1 - esv / edv) == pytest.approx(clip.ef, abs=3)


def test_the_tracing_gives_the_reported_ef_and_fits_the_mask(clips: list[PhantomClip]):
    for clip in clips:
        volumes = []
        for t in (clip.ed_frame, clip.es_frame):
            x1, y1, x2, y2 = clip.tracing(t).T
            lengths = np.hypot(x2 - x1, y2 - y1)
            volumes.append((np.pi / 4 * lengths[1:] ** 2).sum() * lengths[0] / 20)
            polygon = np.concatenate([np.stack([x1, y1], 1)[1:], np.stack([x2, y2], 1)[:0:-1]])
            drawn = np.zeros((112, 112), np.uint8)
            cv2.fillPoly(drawn, [np.round(polygon).astype(np.int32)], 1)
            both = (drawn.astype(bool) & clip.masks[t]).sum()
            assert 2 * both / (drawn.sum() + clip.masks[t].sum()) > 0.9
            assert y1[0] < y2[0], "the long axis starts at the apex, which is on top"
        assert 100 * (1 - volumes[1] / volumes[0]) == pytest.approx(clip.ef, abs=1)


def test_blood_is_darker_than_the_wall(clips: list[PhantomClip]):
    for clip in clips:
        mask = clip.masks[clip.ed_frame].astype(np.uint8)
        ring = cv2.dilate(mask, None, iterations=4).astype(bool) & ~cv2.dilate(mask, None, iterations=1).astype(bool)
        inner = cv2.erode(mask, None, iterations=3).astype(bool)
        frame = clip.frames[clip.ed_frame].astype(float)
        assert frame[ring].mean() > 1.5 * frame[inner].mean()


def test_speckle_moves_with_the_tissue():
    """The septum of frame t, sought where the heart's motion says it went, fits better than left where it was."""
    heart = sample_phantom(24, format=2)
    look = replace(heart.appearance, noise_db=-80.0, haze_db=-80.0, clutter_db=-80.0, persistence=0.0, dropout_db=0.0)
    motion = replace(heart.motion, long_strain=0.2, short_strain=0.3, phase=0.0, rock_shift=0.0, breath_shift=0.0)
    times = np.arange(12) / 50
    clip = render(motion, look, num_frames=12)
    sector = make_sector(look, 112)
    move = Mover(motion, look, sector, pose_at(motion, look, times), None)
    followed, left = [], []
    to_polar = (sector.x.astype(np.float32), sector.y.astype(np.float32))
    seen = [cv2.remap(frame.astype(np.float32), *to_polar, cv2.INTER_LINEAR) for frame in clip.frames]
    before, after = (np.stack(move(t), -1).reshape(-1, 2) for t in (0, 8))
    row, _ = np.mgrid[0 : seen[0].shape[0], 0 : seen[0].shape[1]]
    grey = seen[0].ravel()
    tissue = np.flatnonzero((grey > 100) & (row.ravel() > 30) & (row.ravel() < 90))[::5]
    for point in tissue:
        nearest = int(np.argmin(((after - before[point]) ** 2).sum(axis=1)))
        followed.append(seen[8].ravel()[nearest])
        left.append(seen[8].ravel()[point])
    start = grey[tissue]
    assert np.corrcoef(start, followed)[0, 1] > np.corrcoef(start, left)[0, 1] + 0.15
    assert np.abs(start - followed).mean() < 0.7 * np.abs(start - left).mean()


def test_a_counterfactual_moves_like_one_heart_and_looks_like_the_other():
    one, other = sample_phantom(3), sample_phantom(8)
    clip = counterfactual(one, other, num_frames=60, start=0.2)
    own = render(one.motion, one.appearance, num_frames=60, start=0.2)
    look = render(other.motion, other.appearance, num_frames=60, start=0.2)
    assert clip.ef == pytest.approx(own.ef, abs=2)
    np.testing.assert_allclose(clip.volumes / clip.volumes.max(), own.volumes / own.volumes.max(), atol=0.03)

    def alike(a: PhantomClip, b: PhantomClip) -> float:
        return float(np.corrcoef(a.frames.mean(axis=0).ravel(), b.frames.mean(axis=0).ravel())[0, 1])

    assert alike(clip, look) > 0.9 > alike(clip, own)
    assert (
        counterfactual(one, one, num_frames=4).frames == render(one.motion, one.appearance, num_frames=4).frames
    ).all()


def test_sizes_other_than_112():
    heart = sample_phantom(2)
    small, normal = (render(heart.motion, heart.appearance, num_frames=2, image_size=size) for size in (56, 112))
    assert small.frames.shape == (2, 56, 56)
    assert small.masks.mean() == pytest.approx(normal.masks.mean(), rel=0.08)
    assert small.ef == normal.ef
    np.testing.assert_allclose(small.tracing(0), normal.tracing(0) / 2, atol=0.3)


@pytest.mark.parametrize(
    ("wrong", "message"), [({"image_size": 4}, "image_size"), ({"seed": -1}, "seed"), ({"num_frames": 0}, "num_frames")]
)
def test_wrong_arguments(wrong: dict[str, int], message: str):
    heart = sample_phantom(0)
    with pytest.raises(EchoAugmentError, match=message):
        render(heart.motion, heart.appearance, **wrong)
