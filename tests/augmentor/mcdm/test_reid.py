"""Unit vectors of frames and clips: each from its own pixels alone, and the same after saving."""

import pytest
import torch

from echo_augment.augmentor.mcdm.reid import ReIDEncoder, embed_clips


@pytest.fixture(scope="module")
def reid():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return ReIDEncoder(8, 16).eval()


@pytest.fixture(scope="module")
def clips():
    return torch.randint(0, 256, (3, 5, 32, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_a_frame_becomes_a_unit_vector_that_no_other_frame_changes(reid, clips):
    frames = clips.flatten(0, 1)[:, None].float() / 255
    vectors = reid(frames)
    assert vectors.shape == (15, 16)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(15))
    torch.testing.assert_close(reid(frames[4:5])[0], vectors[4], atol=1e-5, rtol=1e-4)
    assert (vectors[0] - vectors[1]).norm() > 1e-4


def test_a_clip_has_the_direction_of_the_mean_of_its_frames(reid, clips):
    vectors = embed_clips(reid, clips)
    assert vectors.shape == (3, 16) and not vectors.requires_grad
    with torch.no_grad():
        mean = reid(clips[1][:, None].float() / 255).mean(0)
    torch.testing.assert_close(vectors[1], mean / mean.norm(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(embed_clips(reid, clips.flip(1)), vectors, atol=1e-5, rtol=1e-4)


def test_any_net_may_embed_and_gets_levels_from_0_to_1():
    seen = []

    def net(frames):
        seen.append(frames)
        return torch.stack([frames.mean((1, 2, 3)), 1 - frames.mean((1, 2, 3))], dim=1)

    clips = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 4, 3, 3)
    assert embed_clips(net, clips).tolist() == [[0, 1], [1, 0]]
    assert seen[0].shape == (8, 1, 3, 3) and seen[0].min() == 0 and seen[0].max() == 1


def test_a_saved_encoder_gives_the_same_vectors(reid, clips, tmp_path):
    reid.save_pretrained(tmp_path)
    again = ReIDEncoder.from_pretrained(tmp_path).eval()
    assert (again.config.width, again.config.embedding) == (8, 16)
    assert torch.equal(embed_clips(again, clips), embed_clips(reid, clips))
