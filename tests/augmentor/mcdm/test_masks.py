"""Masks of generated clips: what they measure, and how far they are trusted."""

from dataclasses import replace

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.mcdm.labels import LabelPolicy
from echo_augment.augmentor.mcdm.masks import (
    MaskGate,
    WithMasks,
    dice,
    disc_volume,
    largest_piece,
    long_axis,
    mask_ef,
    trust,
    with_masks,
)
from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, PlanLine, Provenance, fill, make_plan

ROWS, COLUMNS = np.mgrid[:112, :112]


def ellipse(across: float, along: float, angle: float = 0.0) -> np.ndarray:
    x, y = COLUMNS - 55.0, ROWS - 55.0
    u, v = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    return (u / across) ** 2 + (v / along) ** 2 <= 1


class Drawn:
    """A segmenter that draws what it is told."""

    fingerprint = "drawn"

    def __init__(self, masks: np.ndarray, ef_bias: float = 0.0) -> None:
        self.masks, self.ef_bias = masks, ef_bias

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        assert frames.dtype == np.uint8
        return self.masks.copy()


def clip(ef: float = 50.0, frames: int = 4) -> EchoClip:
    pixels = np.zeros((frames, 112, 112), np.uint8)
    source = Provenance("motion", "look", 1, extra={"tempo": 1.0})
    return EchoClip("c", pixels, 12.5, ef, ed_frame=0, es_frame=2, confidence=0.9, provenance=source)


def beat(shrink: float) -> np.ndarray:
    """Four masks; at ES both half axes are ``shrink`` times those at ED, so EF is ``1 - shrink ** 3``."""
    return np.stack([ellipse(14 * k, 28 * k, 0.2) for k in (1, (1 + shrink) / 2, shrink, (1 + shrink) / 2)])


def test_dice_counts_pixels():
    one, other = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert dice(one, other) == 1
    one[0, :4], other[0, 2:] = True, True
    assert dice(one, other) == pytest.approx(2 * 2 / 6)
    assert dice(one, ~one) == 0


@pytest.mark.parametrize("angle", [0.0, 0.4, -0.9])
def test_discs_give_the_volume_of_a_spheroid_at_any_lean(angle):
    mask = ellipse(15, 30, angle)
    axis = long_axis(mask)
    assert abs(axis[0] * np.sin(angle) + axis[1] * np.cos(angle)) == pytest.approx(1, abs=1e-3)
    assert disc_volume(mask, axis) == pytest.approx(4 / 3 * np.pi * 15**2 * 30, rel=0.03)
    assert disc_volume(np.zeros((9, 9), bool), axis) == 0


def test_ef_from_masks():
    assert mask_ef(beat(0.8), 0, 2) == pytest.approx(100 * (1 - 0.8**3), abs=2)
    assert mask_ef(beat(0.8), -1, -1) == mask_ef(beat(0.8), 0, 2)
    assert mask_ef(beat(0.8), 2, 0) < 0
    assert np.isnan(mask_ef(np.zeros((3, 8, 8), bool), 0, 2))


def test_ef_from_a_phantom_s_true_masks_is_its_ef():
    errors = []
    for seed in range(4):
        phantom = sample_phantom(seed, format=2)
        made = render(phantom.motion, phantom.appearance, num_frames=30, fps=25)
        errors.append(mask_ef(made.masks, made.ed_frame, made.es_frame) - made.ef)
    assert np.abs(errors).max() < 3


def test_only_the_largest_piece_is_kept():
    mask = ellipse(10, 20)
    stray = mask.copy()
    stray[2:5, 2:5] = True
    np.testing.assert_array_equal(largest_piece(np.stack([stray, np.zeros_like(mask)])), [mask, np.zeros_like(mask)])


def test_masks_that_agree_are_trusted_and_travel_with_the_clip():
    masks = beat(0.8)
    before = clip(ef=100 * (1 - 0.8**3))
    found = with_masks(before, Drawn(masks), tracing=masks[0])
    np.testing.assert_array_equal(found.masks, masks)
    assert found.confidence == pytest.approx(0.9, abs=0.02)
    extra = found.provenance.extra
    assert extra["tempo"] == 1.0
    assert extra["mask_dice"] == 1.0
    assert extra["mask_ef"] == pytest.approx(before.ef, abs=2)
    assert extra["segmenter"] == "drawn"
    assert (found.ef, found.ed_frame, found.clip_id) == (before.ef, 0, "c")


def test_a_segmenter_s_own_bias_is_no_reproach():
    before = clip(ef=100 * (1 - 0.8**3) + 20)
    masks = beat(0.8)
    assert with_masks(before, Drawn(masks)).confidence < 0.5
    assert with_masks(before, Drawn(masks, ef_bias=-20)).confidence == pytest.approx(0.9, abs=0.02)


def test_each_disagreement_lowers_the_confidence():
    masks, ef = beat(0.8), 100 * (1 - 0.8**3)
    good = trust(clip(ef), masks, masks[0]).confidence
    assert trust(clip(ef), masks).confidence == pytest.approx(good, abs=0.01), "no tracing is no reproach"
    assert trust(clip(ef), masks, np.roll(masks[0], 20, 1)).confidence < 0.7 * good
    assert trust(clip(ef - 30), masks, masks[0]).confidence < 0.3 * good
    assert trust(clip(float("nan")), masks, masks[0]).confidence == 1
    assert trust(clip(ef), np.zeros_like(masks), masks[0]).confidence == 0
    small = masks[0][::2, ::2]
    assert trust(clip(ef), masks, small).tracing_dice > 0.95, "a tracing at another size is resized"


class Still:
    """A generator of one picture."""

    fingerprint, sampler, skipped = "still", "copy", ()
    motion_donors, appearance_donors = {"a": 48.8, "b": 20.0}, ("a", "b")

    def __call__(self, lines):
        rng = np.random.default_rng(0)
        frames = rng.integers(0, 255, (4, 112, 112), dtype=np.uint8)
        return [
            EchoClip(
                line.clip_id,
                frames,
                12.5,
                self.motion_donors[line.motion_donor],
                0,
                2,
                provenance=Provenance(line.motion_donor, line.appearance_donor, line.seed, fingerprint="still"),
            )
            for line in lines
        ]


def test_a_filled_cache_holds_masks_and_the_gate_keeps_wrong_ones_out(tmp_path):
    masks = beat(0.8)
    generator = WithMasks(Still(), Drawn(masks), {"a": masks[0]})
    assert generator.fingerprint == "still+masks-drawn"
    plan = make_plan(
        generator.motion_donors, generator.appearance_donors, 8, reserve=1.0, fingerprint=generator.fingerprint
    )
    summary = fill(plan, generator, tmp_path, gates=[MaskGate(0.5)], progress=False, say=lambda _: None)
    stored = list(ClipStore(tmp_path))
    assert summary.rejected["masks"] > 0
    assert {kept.provenance.motion_donor for kept in stored} == {"a"}, "EF 20 is not what the masks show"
    for kept in stored:
        np.testing.assert_array_equal(kept.masks, masks)
        assert (kept.provenance.extra["mask_dice"] is None) == (kept.provenance.appearance_donor == "b")
        assert 0.5 <= kept.confidence <= 1


def test_a_gate_s_threshold_is_a_share():
    with pytest.raises(EchoAugmentError, match=r"1\.5"):
        MaskGate(1.5)
    line = PlanLine("c", "motion", "look", 1)
    assert MaskGate(1.0).judge([line], [clip()]) == [None], "a clip without masks is not this gate's business"


def test_the_mask_gate_looks_at_masks_not_at_what_a_label_policy_trusts():
    masks, line = beat(0.8), PlanLine("c", "motion", "look", 1)
    good = with_masks(clip(ef=100 * (1 - 0.8**3)), Drawn(masks), masks[0])
    bad = with_masks(clip(ef=5.0), Drawn(masks), masks[0])
    unsure = LabelPolicy("consensus", teacher=lambda clips: np.full(len(clips), 5.0))([good])[0]
    assert unsure.confidence == 0 and unsure.provenance.extra["mask_confidence"] > 0.9
    good, reason = MaskGate(0.5).judge([line, line], [unsure, bad])
    assert good is None and reason.startswith("masks: confidence")


def test_masks_that_a_tracing_brought_are_kept_and_judged_by_their_ef():
    masks = beat(0.8)
    before = replace(clip(ef=100 * (1 - 0.8**3)), masks=masks)
    found = with_masks(before, Drawn(np.zeros_like(masks), ef_bias=40), tracing=masks[0])
    np.testing.assert_array_equal(found.masks, masks)
    extra = found.provenance.extra
    assert extra["mask_source"] == "tracing" and extra["segmenter"] is None and extra["mask_dice"] is None
    assert extra["mask_ef"] == pytest.approx(before.ef, abs=2) and found.confidence == pytest.approx(0.9, abs=0.02)
    wrong = with_masks(replace(before, ef=before.ef - 30), Drawn(masks))
    assert wrong.confidence < 0.3


class Carrier(Still):
    """One that takes tracings, if it is told that it can."""

    def __init__(self, can):
        self.can, self.taken = can, None

    def carry_tracings(self, tracings):
        self.taken = tracings
        return self.can


def test_tracings_reach_the_generator_and_its_fingerprint():
    one, other = {"a": beat(0.8)[0]}, {"a": beat(0.8)[2]}
    carrier = Carrier(can=True)
    generator = WithMasks(carrier, Drawn(beat(0.8)), one)
    assert carrier.taken is generator.tracings and generator.tracings == one
    prints = {WithMasks(Carrier(can), Drawn(beat(0.8)), given).fingerprint for can, given in
              ((True, one), (True, other), (False, one), (True, {}))}  # fmt: skip
    assert len(prints) == 3, "what cannot be carried changes no clip, nor do no tracings"
    assert WithMasks(Carrier(can=False), Drawn(beat(0.8)), one).fingerprint == "still+masks-drawn"
