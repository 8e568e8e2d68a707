"""Which clips of a cache a run may learn from: none whose label it must not know, none without confidence."""

import json

import numpy as np
import pytest
from fakes.echo import make_clip

from echo_augment.augmentor import CachedClips
from echo_augment.cache import EchoAugmentError, EchoClip, Provenance, StoreWriter
from echo_augment.training_recipes.arms.chosen_clips import ClipsOfMotionDonors


def fill(folder, policy, confidences):
    with StoreWriter(folder, fingerprint="made") as writer:
        for k, confidence in enumerate(confidences):
            source = Provenance("A", "B", k, fingerprint="made", label_policy=policy)
            frames = np.full((3, 16, 16), k, np.uint8)
            writer.add(EchoClip(f"c{k}", frames, 25.0, ef=50.0 + k, confidence=confidence, provenance=source))
    return CachedClips(folder)


@pytest.mark.parametrize("policy", ["teacher(10)", "consensus(10)"])
def test_a_teacher_s_labels_are_for_runs_that_know_all_labels(tmp_path, policy):
    source = fill(tmp_path, policy, [1.0, 0.5])
    with pytest.raises(EchoAugmentError, match=r"label\.policy=donor"):
        ClipsOfMotionDonors(source, ["A"])
    assert len(ClipsOfMotionDonors(source, ["A"], all_known=True)) == 2


def test_clips_whose_label_the_teacher_contradicts_are_left_out(tmp_path):
    chosen = ClipsOfMotionDonors(fill(tmp_path, "consensus(10)", [1.0, 0.0, 0.3]), ["A"], all_known=True)
    assert chosen.ef.tolist() == [50.0, 52.0]
    with pytest.raises(EchoAugmentError, match="none of its"):
        ClipsOfMotionDonors(fill(tmp_path / "none", "teacher(10)", [0.0]), ["A"], all_known=True)
    masks_alone = ClipsOfMotionDonors(fill(tmp_path / "masks", "donor", [0.0]), ["A"])
    assert len(masks_alone) == 1, "confidence in masks is the mask gate's business"


@pytest.mark.parametrize(
    "gates",
    [{"label": {"by": "teacher", "teacher": "0123"}}, {"label": None, "masks": 0.8}, {"masks": 0.0}],
    ids=["label", "masks", "any masks"],
)
def test_clips_that_a_teacher_chose_are_for_runs_that_know_what_it_knew(tmp_path, gates):
    source = fill(tmp_path, "donor", [1.0, 0.5])

    def passed(**more):
        (tmp_path / "gates.json").write_text(json.dumps({"gates": {"image": True, **gates, **more}, "limits": {}}))
        return source

    with pytest.raises(EchoAugmentError, match=r"chosen by a teacher that may know labels.*gates\.label\.teacher"):
        ClipsOfMotionDonors(passed(), ["A"])
    with pytest.raises(EchoAugmentError, match="chosen by a teacher"):
        ClipsOfMotionDonors(passed(knows=["A", "C"]), ["A"])
    assert len(ClipsOfMotionDonors(passed(knows=["A"]), ["A", "C"])) == 2
    assert len(ClipsOfMotionDonors(passed(), ["A"], all_known=True)) == 2


def test_a_gate_that_learned_from_no_label_is_no_hindrance(tmp_path):
    source = fill(tmp_path, "donor", [1.0])
    gates = {"image": True, "label": {"by": "masks", "teacher": None}, "privacy": {"against": "others"}}
    (tmp_path / "gates.json").write_text(json.dumps({"gates": gates, "limits": {}}))
    assert len(ClipsOfMotionDonors(source, ["A"])) == 1


def test_clips_that_the_source_excludes_are_not_chosen(tmp_path):
    with StoreWriter(tmp_path / "cache", shard_clips=4) as writer:
        for k in range(9):
            writer.add(make_clip(k))
    source = CachedClips(tmp_path / "cache", exclude=["clip001", "clip004"])
    known = ClipsOfMotionDonors(source, ["motion1", "motion2", "motion8"])
    assert [clip.clip_id for clip in known] == ["clip002", "clip008"] and known.ef.tolist() == [22.0, 28.0]
    assert known.donors == {"motion2", "look2", "motion8", "look8"}
