"""Label policies: whose EF a clip gets, and with what confidence."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.augmentor.mcdm.labels import POLICIES, LabelPolicy, WithLabels, decide, donor_label
from echo_augment.cache import EchoAugmentError, EchoClip, Provenance

EFS = st.floats(0, 100)


def clip(ef, name="c", confidence=1.0):
    frames = np.zeros((4, 8, 8), np.uint8)
    return EchoClip(
        name, frames, 12.5, ef=ef, confidence=confidence, provenance=Provenance("a", "b", 0, extra={"x": 1})
    )


@settings(deadline=None)
@given(policy=st.sampled_from(POLICIES), donor=EFS, teacher=EFS, tolerance=st.floats(0.5, 50))
def test_labels_stay_between_donor_and_teacher(policy, donor, teacher, tolerance):
    ef, confidence = decide(policy, donor, teacher, tolerance)
    assert min(donor, teacher) - 1e-9 <= ef <= max(donor, teacher) + 1e-9 and 0 <= confidence <= 1
    assert decide(policy, donor, donor, tolerance) == (donor, 1.0)


def test_consensus_is_the_mean_or_none():
    assert decide("consensus", 50, 56, 10) == (53, pytest.approx(np.exp(-0.18)))
    assert decide("consensus", 50, 60, 10)[1] == pytest.approx(0.6065, abs=1e-4)
    assert decide("consensus", 50, 60.1, 10) == (50, 0)
    assert decide("teacher", 50, 60.1, 10)[0] == 60.1 and decide("donor", 50, 99, 10) == (50, 1)


def test_ed_and_es_are_where_the_donor_s_volume_says_so_or_unknown():
    volume = np.array([3.0, 1.0, 5.0, 2.0, 4.0])
    seen = donor_label(55.0, volume, np.arange(1, 5, dtype=np.float64))
    assert (seen.ef, seen.ed_frame, seen.es_frame, seen.policy) == (55.0, 1, 0, "donor")
    nowhere = donor_label(55.0, volume, None)
    assert (nowhere.ef, nowhere.ed_frame, nowhere.es_frame) == (55.0, -1, -1)


def test_what_cannot_be_read_or_lies_outside_is_handled():
    assert decide("teacher", 50, float("nan"), 10) == decide("consensus", 50, float("nan"), 10) == (50, 0)
    assert decide("teacher", 97, 104, 10)[0] == 100 and decide("teacher", 3, -5, 10)[0] == 0


def test_a_policy_labels_clips_and_says_how():
    reads = {"one": 54.0, "two": 80.0, "three": np.nan}
    asked = []

    def teacher(clips):
        asked.append(len(clips))
        return np.array([reads[one.clip_id] for one in clips])

    policy = LabelPolicy("consensus", teacher=teacher, tolerance=8)
    first, second, third = policy([clip(50.0, "one", confidence=0.5), clip(60.0, "two"), clip(70.0, "three")])
    assert asked == [1, 1, 1], "a label must not depend on what else is in the batch"
    assert first.ef == 52 and first.confidence == pytest.approx(0.5 * np.exp(-0.125))
    assert first.provenance.label_policy == "consensus(8)"
    assert first.provenance.extra == {"x": 1, "donor_ef": 50.0, "teacher_ef": 54.0}
    assert (second.ef, second.confidence) == (60, 0) and third.provenance.extra["teacher_ef"] is None


def test_the_donors_policy_changes_nothing_not_even_the_fingerprint():
    made = [clip(50.0)]
    generator = SimpleNamespace(fingerprint="f", sampler="s", skipped=[], motion_donors={}, appearance_donors=[])
    assert LabelPolicy()(made) == made and WithLabels(generator, LabelPolicy()).fingerprint == "f"
    other = LabelPolicy("teacher", teacher=lambda clips: np.zeros(1), tolerance=5, fingerprint="t")
    assert WithLabels(generator, other).fingerprint == "f+labels-teacher(5)-t"


def test_a_wrapped_generator_gives_its_clips_relabelled():
    class Generator:
        fingerprint, sampler, skipped, motion_donors, appearance_donors = "f", "ddim-8", [], {"a": 50.0}, ["b"]

        def __call__(self, lines):
            return [clip(50.0, name) for name in lines]

    wrapped = WithLabels(Generator(), LabelPolicy("teacher", teacher=lambda clips: np.full(len(clips), 45.0)))
    made = wrapped(["p", "q"])
    assert [(one.clip_id, one.ef) for one in made] == [("p", 45.0), ("q", 45.0)]
    assert all(one.provenance.fingerprint == wrapped.fingerprint != "f" for one in made)
    assert wrapped.motion_donors == {"a": 50.0} and wrapped.sampler == "ddim-8"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"policy": "vote"}, "label policy must be one of donor, teacher, consensus, got 'vote'"),
        ({"policy": "consensus"}, "label policy 'consensus' needs a teacher"),
        (
            {"policy": "teacher", "teacher": len, "tolerance": 0.0},
            "of labels must be above 0 EF points, got 0.0",
        ),
    ],
)
def test_wrong_policies_are_named(arguments, message):
    with pytest.raises(EchoAugmentError, match=message):
        LabelPolicy(**arguments)
