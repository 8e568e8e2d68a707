"""Donors are read once, beside other work, and motion codes only of videos that give motion."""

import copy
import os
import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from echo_augment.augmentor.data import read_table, read_video
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.mcdm.donors import Ahead, Donors, hearts, read_heart
from echo_augment.augmentor.mcdm.phase import make_heart
from echo_augment.cache import EchoAugmentError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_phantoms(tmp_path_factory.mktemp("data") / "phantom", 6, seed=5, workers=1, splits=(1, 0, 0), format=2)


@pytest.fixture(scope="module")
def rows(root):
    return {row.name: row for row in read_table(root).rows}


class Finder:
    """Finds the square of a number, or fails for negative ones; says which threads it was called in, how often."""

    def __init__(self):
        self.asked, self.threads, self.gate = [], set(), threading.Event()
        self.gate.set()

    def __call__(self, key):
        self.gate.wait(30)
        self.asked.append(key)
        self.threads.add(threading.get_ident())
        if key < 0:
            raise EchoAugmentError(f"{key} is negative")
        return key * key


def test_what_is_expected_is_found_once_in_threads_and_errors_come_when_asked_for():
    find = Finder()
    ahead = Ahead(find, 2)
    ahead.expect([3, -1, 3, 4])
    assert [ahead(3), ahead(4), ahead(5)] == [9, 16, 25]
    with pytest.raises(EchoAugmentError, match="-1 is negative"):
        ahead(-1)
    assert sorted(find.asked) == [-1, 3, 4, 5] and threading.get_ident() not in find.threads


def test_what_is_no_longer_expected_is_dropped_unless_more_is_added():
    find = Finder()
    find.gate.clear()
    ahead = Ahead(find, 1)
    ahead.expect([1, 2, 3])
    ahead.expect([4], only=False)
    ahead.expect([4])
    find.gate.set()
    assert ahead(4) == 16
    assert set(find.asked) <= {1, 4}  # the one that had begun


def test_a_copy_and_a_fork_have_threads_of_their_own():
    ahead = Ahead(abs, 1)
    assert ahead(-2) == 2
    assert copy.copy(ahead)(-3) == pickle.loads(pickle.dumps(ahead))(-3) == 3  # noqa: S301  our own bytes
    child = os.fork()
    if child == 0:
        os._exit(ahead(-7))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_heart_is_that_of_the_whole_video_decoded(rows):
    row = list(rows.values())[1]
    heart, fps = read_heart(row, rate=12.5, size=96)
    whole = make_heart(row.name, *read_video(row.path), rate=12.5, size=96)
    assert fps == 50 and (heart.ed, heart.es) == (whole.ed, whole.es)
    np.testing.assert_array_equal(heart.frames, whole.frames)


def test_hearts_come_in_order_and_a_broken_one_is_an_error(rows, tmp_path):
    wanted = list(rows.values())
    wanted[2] = replace(wanted[2], path=tmp_path / "gone.avi")
    found = list(hearts(wanted, rate=12.5, size=112))
    assert [row for row, _ in found] == wanted
    assert isinstance(found[2][1], EchoAugmentError) and "gone.avi" in str(found[2][1])
    assert [one[0].name for _, one in found[3:]] == [row.name for row in wanted[3:]]


class Counting:
    """A pipeline that counts the videos whose motion it reads."""

    device = torch.device("cpu")
    config = {"rate": 12.5, "size": 112, "reference": "ed"}  # noqa: RUF012

    def __init__(self):
        self.encoded = []

    def encode_motion(self, heart):
        self.encoded.append(heart.name)
        return torch.full((len(heart.grid), 2), float(heart.ed))


def test_motion_is_read_only_of_videos_that_give_motion_and_each_once(rows):
    pipeline, names = Counting(), sorted(rows)
    donors = Donors(pipeline, rows, dict.fromkeys(names, 50.0))
    pairs = [(names[0], names[1]), (names[2], names[0]), (names[0], names[3])]
    donors.expect(pairs)
    motions = [donors.motion(one) for one, _ in pairs]
    references = [donors.reference(other) for _, other in pairs]
    assert sorted(pipeline.encoded) == [names[0], names[2]]
    assert motions[0] is motions[2] and motions[0].ef == 50.0
    lazily = Donors(pipeline, rows, dict.fromkeys(names, 50.0))  # never told anything
    for (_, other), reference in zip(pairs, references, strict=True):
        np.testing.assert_array_equal(lazily.reference(other), reference)
    assert len(pipeline.encoded) == 2
    torch.testing.assert_close(lazily.motion(names[2]).codes, motions[1].codes, rtol=0, atol=0)
    np.testing.assert_array_equal(lazily.motion(names[2]).volume, motions[1].volume)


def test_names_of_no_video_are_left_to_whoever_asks(rows):
    donors = Donors(Counting(), rows, {})
    donors.expect([("nobody", "nothing"), ("", sorted(rows)[0])])
    assert donors.reference(sorted(rows)[0]).shape == (112, 112)
