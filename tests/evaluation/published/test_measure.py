"""Sets of videos are looked at as the protocol says: FVD sees consecutive frames, FID spread ones, LPIPS pairs."""

import numpy as np
import pytest
import torch

from echo_augment.cache import EchoClip
from echo_augment.evaluation.published.measure import Form, Found, brought, look_at, row_of
from echo_augment.evaluation.published.networks import METRICS, Networks
from echo_augment.evaluation.published.scores import frechet_distance

FORM = Form(fps=25.0, size=16, images=4, seed=0)


class Gray(torch.nn.Module):
    """A distance that is the mean difference of gray levels, in units of 127.5."""

    shift = torch.zeros(1)

    def forward(self, one, two):
        assert one.shape == two.shape and one.shape[1] == 1
        return (one - two).abs().mean((1, 2, 3))


class Stand:
    """Stands for I3D, Inception and LPIPS, and keeps what they were shown."""

    def __init__(self):
        self.windows, self.images, self.lpips = [], [], Gray()
        self.rng = np.random.default_rng(0)

    def i3d(self, videos):
        self.windows.append(videos.numpy())
        return videos.double().mean((2, 3))[:, :4].numpy() + self.rng.normal(size=(len(videos), 4))

    def inception(self, images):
        self.images.append(images.numpy())
        classes = np.eye(10)[images[:, 0, 0].numpy() % 10] * 0.9 + 0.01
        return images.double().flatten(1)[:, :4].numpy() + self.rng.normal(size=(len(images), 4)), classes


def video(number: int, length: int = 40) -> np.ndarray:
    """Frame t of video n has gray level 50 n + t throughout."""
    return np.stack([np.full((16, 16), 50 * number + t, np.uint8) for t in range(length)])


def networks(stand: Stand) -> Networks:
    return Networks(i3d=stand.i3d, inception=stand.inception, lpips=stand.lpips)


def test_fvd_sees_consecutive_frames_and_fid_frames_of_the_whole_video():
    stand = Stand()
    found = look_at([video(0), video(1), video(2, 150)], networks(stand), METRICS, FORM, what="videos")
    short = [one for one in stand.windows if one.shape[1] == 16]
    long = [one for one in stand.windows if one.shape[1] == 128]
    assert sum(map(len, short)) == 3 and sum(map(len, long)) == 1
    for one in [*np.concatenate(short), *np.concatenate(long)]:
        assert (np.diff(one[:, 0, 0].astype(int)) == 1).all()
    assert stand.images[0][:, 0, 0].tolist() == [0, 13, 26, 39]
    assert found.videos == 3 and found.images.shape == (12, 4) and found.classes.shape == (12, 10)
    assert {name: len(value) for name, value in found.fvd.items()} == {"fvd16": 3, "fvd128": 1}


def test_windows_begin_where_the_seed_says():
    starts = []
    for seed in (0, 0, 1):
        stand = Stand()
        form = Form(fps=25.0, size=16, images=1, seed=seed)
        look_at([video(0), video(0)], networks(stand), ("fvd16",), form, what="videos")
        starts.append([int(one[0, 0, 0]) for one in stand.windows[0]])
    assert starts[0] == starts[1] != starts[2] and starts[0][0] != starts[0][1]


def test_lpips_is_between_a_video_and_the_one_before_and_between_versions_of_one():
    stand = Stand()
    moved = [np.clip(one.astype(int) + 3, 0, 255).astype(np.uint8) for one in (video(0), video(1))]
    found = look_at(moved, networks(stand), ("lpips",), FORM, what="videos", others=[video(0), video(1)])
    assert found.paired == pytest.approx(3 / 127.5) and found.between == pytest.approx(50 / 127.5)
    assert look_at([video(0)], networks(stand), ("lpips",), FORM, what="videos").between is None


def test_a_row_has_what_both_sets_have():
    rng = np.random.default_rng(0)
    one, two = (Found(videos=5, images=rng.normal(size=(30, 3))) for _ in range(2))
    for found in (one, two):
        found.fvd["fvd16"] = rng.normal(size=(20, 3))
        found.classes = rng.dirichlet(np.ones(5), 30)
    one.fvd["fvd128"], two.fvd["fvd128"] = rng.normal(size=(1, 3)), rng.normal(size=(4, 3))
    row = row_of(one, two, METRICS)
    assert row.fvd16 == frechet_distance(one.fvd["fvd16"], two.fvd["fvd16"])
    assert row.fid == frechet_distance(one.images, two.images)
    assert row.fvd128 is None and row.long == 1 and row.lpips is None
    assert 1 < row.inception.mean < 5
    assert row_of(one, two, ("fid",)).inception is None


def test_clips_are_brought_to_one_rate_and_size_and_short_ones_are_left_out():
    clips = [EchoClip("a", video(0), 50.0), EchoClip("b", video(0, 30), 50.0), EchoClip("c", video(1), 25.0)]
    one, three = brought(clips, Form(fps=25.0, size=8, images=1, seed=0))
    assert one.shape == (20, 8, 8) and one[:3, 0, 0].tolist() == [0, 2, 4]
    assert three.shape == (40, 8, 8)
