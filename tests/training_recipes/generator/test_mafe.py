"""Stage ``mafe``: targets that go along with turned and swapped frames, forms of the losses, and which weights stay."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fakes.generator import preset

from echo_augment.augmentor.mcdm.mafe import MAFE, warp
from echo_augment.augmentor.mcdm.phase import Heart
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.generator.mafe import (
    interpolation_error,
    interpolation_quality,
    mafe_loss,
    middle_frames,
    pair_batch,
    start_from,
    with_head,
)
from echo_augment.training_recipes.generator.preset import LossWeights
from echo_augment.training_recipes.training.optimiser import warmup_cosine

SIDE, SPEED = 112, 2  # pixels; pixels a frame, to the right


def sliding(name: str, frames: int = 13) -> Heart:
    """Return smooth noise that slides to the right; ED first, ES in the middle."""
    rng = np.random.default_rng(len(name))
    wide = torch.from_numpy(rng.random((1, 1, SIDE, SIDE + SPEED * frames), np.float32))
    smooth = torch.nn.functional.avg_pool2d(wide, 9, 1, 4, count_include_pad=False)[0, 0].numpy()
    smooth = ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)
    starts = [SPEED * (frames - t) for t in range(frames)]
    return Heart(name, np.stack([smooth[:, start : start + SIDE] for start in starts]), 0, frames // 2)


class Labels:
    """Embeddings that tell the frame, and the flow from the ED frame."""

    def __init__(self, hearts: list[Heart]) -> None:
        self.hearts = hearts

    def embedding(self, video: int) -> np.ndarray:
        return np.arange(len(self.hearts[video].frames), dtype=np.float32)[:, None]

    def flow(self, video: int, at: int) -> np.ndarray:
        flow = np.zeros((2, SIDE // 4, SIDE // 4), np.float32)
        flow[0] = SPEED * (self.hearts[video].grid[at] - self.hearts[video].ed)
        return flow


@pytest.fixture(scope="module")
def data() -> SimpleNamespace:
    return SimpleNamespace(training=[sliding("a"), sliding("bb")], watched=[sliding("ccc")])


@pytest.fixture(scope="module")
def mafe() -> MAFE:
    return MAFE(4, (1, 1, 1, 2, 2), (1, 2))


def drawn(data, target: str, seed: int = 3, count: int = 8) -> dict[str, torch.Tensor]:
    return pair_batch(data, Labels(data.training), np.random.default_rng(seed), count, 3, target)


def test_flows_to_both_ends_lead_from_the_middle_frame_to_them(data):
    batch = drawn(data, "ends")
    assert batch["frames"].shape == (8, 3, SIDE, SIDE) and batch["flow"].shape == (8, 4, SIDE, SIDE)
    first, second, middle = (batch["frames"].float() / 255).split(1, dim=1)
    inside = (..., slice(20, -20), slice(20, -20))
    for end, flow in ((first, batch["flow"][:, :2]), (second, batch["flow"][:, 2:])):
        off = (warp(end, flow) - middle)[inside].abs().mean((1, 2, 3))
        still = (end - middle)[inside].abs().mean((1, 2, 3))
        assert (off < 0.4 * still).all()
    assert not torch.allclose(batch["flow"], batch["flow"][:1])


def test_the_flow_of_a_pair_leads_from_the_first_frame_to_the_second(data):
    batch = drawn(data, "pair")
    assert batch["flow"].shape == (8, 2, SIDE // 4, SIDE // 4)
    first, second, _ = (batch["frames"].float() / 255).split(1, dim=1)
    flow = torch.nn.functional.interpolate(batch["flow"], scale_factor=4)
    inside = (..., slice(30, -30), slice(30, -30))
    off = (warp(second, flow) - first)[inside].abs().mean((1, 2, 3))
    assert (off < 0.02).all()
    ways = {tuple(flow.mean((1, 2)).sign().int().tolist()) for flow in drawn(data, "pair", count=40)["flow"]}
    assert ways == {(1, 0), (-1, 0), (0, 1), (0, -1)}, "turned and swapped"


def test_embeddings_change_places_with_their_frames(data):
    batch = drawn(data, "pair", count=30)
    ends = batch["embedding"][..., 0]
    assert ((ends == 0).sum(1) == 1).all() and (ends.max(1).values % 2 == 0).all()
    assert {int(place) for place in ends.argmin(1)} == {0, 1}


def test_the_same_random_numbers_draw_the_same_batch(data):
    one, two = drawn(data, "ends", count=3), drawn(data, "ends", count=3)
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("target", ["ends", "pair"])
def test_the_loss_is_the_weighted_sum_and_teaches_all_weights(data, mafe, target):
    net = with_head(mafe, 1, seed=0)
    weights = LossWeights(reid=0.3, flow=2.0, flow_target=target)
    batch = drawn(data, target, count=2)
    found = mafe_loss(weights)(net, batch)
    found["loss"].backward()
    lost = [name for name, weight in net.named_parameters() if weight.grad is None]
    assert lost == []
    alone = mafe_loss(replace(weights, reid=0.0, flow=0.0))(net, batch)["loss"]
    assert found["loss"].item() == pytest.approx((alone + 0.3 * found["reid"] + 2 * found["flow"]).item(), rel=1e-5)


def test_the_learning_rate_of_paper_ends_where_the_references_does():
    """A cosine over 300 epochs, from 2e-4 to 2e-5, of which 100 are trained."""
    settings = preset("preset=paper").mafe
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=settings.lr)
    factor = warmup_cosine(optimizer, settings.horizon, warmup=settings.warmup).lr_lambdas[0]
    share = (settings.steps - 2000) / (300 * 934 - 2000)
    assert settings.lr * factor(settings.steps) == pytest.approx(1.8e-4 * (np.cos(share * np.pi) / 2 + 0.5) + 2e-5)
    assert settings.lr * factor(settings.steps) == pytest.approx(1.56e-4, abs=1e-6)
    assert settings.weight_decay == 1e-4 and settings.validate_every == 3 * 934


def test_a_head_follows_from_its_seed(mafe):
    before = torch.get_rng_state()
    one, two, other = (with_head(mafe, 4, seed).head.weight for seed in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_are_judged_by_the_middle_frames_of_watched_videos(data, mafe):
    triples = middle_frames(data, reach=3)
    assert triples.shape == (1, 3, SIDE, SIDE)
    assert np.array_equal(triples[0], data.watched[0].frames[[0, 6, 3]])
    net = with_head(mafe.eval(), 4, seed=0)
    found = interpolation_error(triples)(net)
    assert found["error"] == -found["psnr"]
    quality = interpolation_quality(mafe, triples)
    assert quality["watched_psnr"] == pytest.approx(found["psnr"], abs=0.05), "but for rounding to grey levels"
    assert quality["blend_psnr"] != quality["watched_psnr"]


def test_it_starts_from_a_saved_one_of_its_own_form(tmp_path):
    with torch.random.fork_rng([]):
        mafe, saved, wider = (MAFE(width, (1, 1, 1, 1, 1), (1, 2), channels=3) for width in (4, 4, 8))
    saved.save_pretrained(tmp_path / "same")
    wider.save_pretrained(tmp_path / "wider")
    start_from(mafe, str(tmp_path / "same"))
    assert all(torch.equal(value, mafe.state_dict()[name]) for name, value in saved.state_dict().items())
    with pytest.raises(EchoAugmentError, match=r"preset\.mafe\.start=.*wider: that MAFE has width=8, not 4"):
        start_from(mafe, str(tmp_path / "wider"))
