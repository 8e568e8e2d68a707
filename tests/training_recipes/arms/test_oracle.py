"""The oracle: the exact counterfactual of two phantoms, with the motion donor's label."""

import numpy as np
import pytest
from fakes.cache import assert_same_clip
from fakes.ef import cache, root, trained  # noqa: F401
from fakes.peers import write_set

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.phantom import counterfactual, load_phantoms, write_phantoms
from echo_augment.cache import EchoAugmentError, PlanLine
from echo_augment.training_recipes.arms.oracle import OracleGenerator


def test_the_oracle_renders_the_counterfactual_with_the_motion_donor_s_label(root):
    phantoms, oracle = load_phantoms(root), OracleGenerator.of(root)
    train = {row.name: row.ef for row in read_table(root).split("train")}
    assert dict(oracle.motion_donors) == train
    one, other = list(train)[:2]
    first, again = oracle([PlanLine("c", one, other, 5), PlanLine("c", one, other, 5)])
    np.testing.assert_array_equal(first.frames, again.frames)
    assert first.ef == train[one]
    start = first.provenance.extra["start"]
    exact = counterfactual(phantoms[one], phantoms[other], num_frames=16, fps=12.5, start=start, seed=5)
    np.testing.assert_array_equal(first.frames, exact.frames)
    assert oracle([PlanLine("d", one, other, 6)])[0].provenance.extra["start"] != start
    with pytest.raises(EchoAugmentError, match="no phantom"):
        oracle([PlanLine("e", one, "0X1", 1)])


def lines_of(root, count, seed=0):
    names = [row.name for row in read_table(root).split("train")]
    return [PlanLine(f"c{k}", names[k % len(names)], names[(k + 1) % len(names)], seed + k) for k in range(count)]


def test_a_clip_does_not_depend_on_its_batch(root):
    oracle, lines = OracleGenerator.of(root, frames=6, masks=True), lines_of(root, 3)
    together = oracle(lines)
    assert [clip.clip_id for clip in together] == ["c0", "c1", "c2"]
    for clip, line in zip(together, lines, strict=True):
        assert_same_clip(clip, OracleGenerator.of(root, frames=6, masks=True)([line])[0])
        source = clip.provenance
        assert (source.motion_donor, source.appearance_donor) == (line.motion_donor, line.appearance_donor)
        assert (source.seed, source.sampler, source.preset) == (line.seed, "render", "oracle")
        assert source.fingerprint == oracle.fingerprint and 0 <= source.extra["start"] < 3


def test_masks_are_the_ventricle_of_every_frame_and_only_on_demand(root):
    [plain] = OracleGenerator.of(root, frames=8)(lines_of(root, 1))
    [masked] = OracleGenerator.of(root, frames=8, masks=True)(lines_of(root, 1))
    assert plain.masks is None and masked.masks.shape == masked.frames.shape == (8, 112, 112)
    np.testing.assert_array_equal(plain.frames, masked.frames)
    areas = masked.masks.sum((1, 2))
    assert areas.min() > 50 and areas[masked.ed_frame] == areas.max() and areas[masked.es_frame] == areas.min()


def test_another_set_or_form_has_another_fingerprint(root, tmp_path):
    plain = OracleGenerator.of(root).fingerprint
    assert OracleGenerator.of(root).fingerprint == plain and plain.startswith("oracle-")
    other = write_phantoms(tmp_path, 3, seed=9, num_frames=8, workers=1, format=2)
    forms = [OracleGenerator.of(other), *(OracleGenerator.of(root, **form) for form in FORMS)]
    assert len({plain, *(oracle.fingerprint for oracle in forms)}) == 5


FORMS = ({"frames": 8}, {"fps": 25.0}, {"masks": True})


def test_donors_are_train_alone_and_a_set_without_phantoms_is_refused(root, tmp_path):
    train = {row.name for row in read_table(root).split("train")}
    oracle = OracleGenerator.of(root)
    assert set(oracle.motion_donors) == set(oracle.appearance_donors) == train and oracle.skipped == []
    assert oracle.appearance_donors == sorted(train)
    with pytest.raises(EchoAugmentError, match=r"phantoms\.json"):
        OracleGenerator.of(write_set(tmp_path / "real", [("a", 50, "TRAIN")]))
