"""The re-ID model's training: pairs of one video are drawn together, in any light."""

import torch

from echo_augment.training_recipes.generator.reid import contrastive_loss, jitter


def test_the_contrastive_loss_wants_each_pair_together():
    same = torch.eye(6, 8)
    assert contrastive_loss(same, same) < 0.01 < contrastive_loss(same, same.roll(1, 0))


def test_the_contrastive_loss_sees_direction_only():
    one, two = torch.randn(2, 6, 8)
    torch.testing.assert_close(contrastive_loss(one, two), contrastive_loss(3 * one, two))


def test_jittered_frames_stay_frames():
    frames = torch.rand(4, 1, 112, 112)
    changed = jitter(frames)
    assert changed.shape == frames.shape and changed.min() >= 0 and changed.max() <= 1
    assert all(not torch.equal(one, two) for one, two in zip(frames, changed, strict=True))
