"""Wrapped generators: what changes a clip is part of its fingerprint."""

import pickle

import pytest
from fakes.cache import FINGERPRINT, fake_clip, fake_plan

from echo_augment.cache.generator import SkippedDonor, WrappedGenerator


class Plain:
    fingerprint, sampler, fps = FINGERPRINT, "fake-1", 12.5
    motion_donors, appearance_donors = {"A": 50.0}, ["A", "B"]
    skipped = (SkippedDonor("C", "truncated"),)

    def __call__(self, lines):
        return [fake_clip(line) for line in lines]


def test_a_wrapper_has_what_it_wraps_under_another_fingerprint():
    wrapped = WrappedGenerator(WrappedGenerator(Plain(), "+masks"), "+labels")
    assert wrapped.fingerprint == f"{FINGERPRINT}+masks+labels" and wrapped.sampler == "fake-1"
    assert wrapped.motion_donors == {"A": 50.0} and wrapped.appearance_donors == ["A", "B"] and wrapped.fps == 12.5
    assert [one.to_json() for one in wrapped.skipped] == [{"name": "C", "reason": "truncated"}]
    with pytest.raises(AttributeError):
        _ = wrapped.nothing


def test_clips_get_the_fingerprint_and_keep_the_rest():
    clip = fake_clip(fake_plan(1).lines[0])
    dressed = WrappedGenerator(Plain(), "+masks").dress(clip)
    assert dressed.provenance.fingerprint == f"{FINGERPRINT}+masks" and dressed.provenance.seed == clip.provenance.seed
    assert dressed.frames is clip.frames


def test_a_wrapper_travels_to_another_process():
    wrapped = pickle.loads(pickle.dumps(WrappedGenerator(Plain(), "+masks")))  # noqa: S301  our own bytes
    assert wrapped.fps == 12.5
