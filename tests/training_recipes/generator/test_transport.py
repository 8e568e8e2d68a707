"""The transport's batches: a frame's flow, look and latents are one heart's; watched hearts never train; it learns."""

import numpy as np
import pytest
import torch
from fakes.hearts import LENGTH, write_hearts

from echo_augment.augmentor.mcdm.transport import MotionTransport
from echo_augment.training_recipes.generator.codec import Latents
from echo_augment.training_recipes.generator.denoiser import Windows, condition, stacked
from echo_augment.training_recipes.generator.motions import Copies, Motions, draw_copies, make_copies
from echo_augment.training_recipes.generator.transport import explained, transport_loss


@pytest.fixture
def motions(tmp_path):
    """Hearts whose latents and flows tell, as their brightness does, which heart and frame they are."""
    data = write_hearts(tmp_path)
    latents = np.zeros((data.total, 4, 14, 14), np.float16)
    flows = np.zeros((data.total // 2, 2, 28, 28), np.float16)
    for heart, start in enumerate(data.starts):
        for t in range(0, LENGTH, 2):
            latents[start + t] = heart + t
            flows[(start + t) // 2] = heart + t / 16
    np.save(tmp_path / "latents.npy", latents)
    np.save(tmp_path / "flows.npy", flows)
    return Motions(data, Latents(data, tmp_path / "latents.npy"), tmp_path / "flows.npy")


def window_of(motions, seed, video, grid):
    drawn = stacked([{"copies": motions.window(draw_copies(np.random.default_rng(seed), 1), video, grid)}])
    return {key: value[0] for key, value in make_copies(drawn).items()}


def still(_rng, count):
    one = torch.ones(count)
    disks = {key: torch.full((count, 1, 1), 0.5) for key in ("x", "y", "radius", "longer")}
    return Copies(torch.eye(2).expand(count, 2, 2), torch.zeros(count, 2), one, one, disks)


@pytest.mark.parametrize("watched", [False, True])
def test_a_frame_has_its_own_hearts_flow_look_and_latents(motions, monkeypatch, watched):
    monkeypatch.setattr("echo_augment.training_recipes.generator.motions.draw_copies", still)
    batch = make_copies(motions.draw(np.random.default_rng(0), 64, watched=watched))
    ed, moved = (batch["frames"][:, i, 14, 14] * 255 for i in range(2))
    heart, t = (ed / 20 - 1).round(), batch["relative"][:, 0, 0, 0]
    torch.testing.assert_close(moved - ed, t, atol=1e-2, rtol=0)
    assert batch["disks"].shape == (64, 1, 28, 28) and (batch["disks"] > 0.99).any() and (batch["disks"] < 0.01).any()
    torch.testing.assert_close(batch["reference"][:, 0, 0, 0], heart)
    torch.testing.assert_close(batch["flow"][:, 0, 14, 14], heart + t / 16, atol=1e-2, rtol=0)
    assert set(heart.int().tolist()) == ({4, 5} if watched else {0, 1, 2, 3}) and set(t.int().tolist()) == {0, 2, 4, 6}


def test_a_window_is_one_copy_of_one_heart(motions):
    window = window_of(motions, 3, 2, np.array([0, 1, 3, 3]))
    assert {key: tuple(value.shape) for key, value in window.items()} == {
        "flow": (4, 2, 28, 28),
        "frames": (4, 2, 28, 28),
        "disks": (4, 1, 28, 28),
    }
    frames, disks = window["frames"], window["disks"]
    assert all(torch.equal(frames[0, 0], frames[t, 0]) and torch.equal(disks[0], disks[t]) for t in (1, 2, 3))
    assert torch.equal(window["flow"][2], window["flow"][3]) and not torch.equal(window["flow"][0], window["flow"][1])
    other = window_of(motions, 4, 2, np.array([0, 1, 3, 3]))
    assert not torch.equal(frames, other["frames"])


@pytest.mark.parametrize("at", [0, 2])
def test_the_denoisers_windows_are_told_the_copies(motions, at):
    windows = Windows(motions.data, motions.latents, motions, frames=3, kind="transport")
    drawn = windows.window(1, at, draw_copies(np.random.default_rng(0), 1))
    missing = max(0, at + 3 - LENGTH // 2)
    assert drawn["there"].tolist() == [True] * (3 - missing) + [False] * missing and "motion" not in drawn
    flow = drawn["copies"]["flow"]
    assert torch.equal(flow[-1], flow[-2]) == (missing > 0), "short hearts stand still at their end"
    transport = MotionTransport(6, 16, scale=motions.latents.scale).eval()
    batch = make_copies(windows.draw(np.random.default_rng(0), 5))
    codes, hint = condition(transport, batch, motions.latents.scale)
    assert codes.shape == (5, 3, 6) and hint.shape == batch["latents"].shape
    with torch.no_grad():
        one = transport.encode(*(batch[key][4] for key in ("flow", "frames", "disks")))
        expected = transport.predict(batch["reference"][4:], one[None]) / motions.latents.scale
    torch.testing.assert_close(codes[4], one)
    torch.testing.assert_close(hint[4:], expected)


def test_training_explains_what_moves(motions):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        transport = MotionTransport(6, 16, scale=motions.latents.scale)
        optimizer = torch.optim.AdamW(transport.parameters(), lr=5e-3)
        before = explained(transport.eval(), motions, 64)
        loss_fn, rng = transport_loss(motions.latents.scale), np.random.default_rng(1)
        for _ in range(60):
            losses = loss_fn(transport.train(), make_copies(motions.draw(rng, 32)))
            optimizer.zero_grad()
            losses["loss"].backward()
            optimizer.step()
    after = explained(transport.eval(), motions, 64)
    assert before < 0.3 and after > 0.5
    assert losses["error"] < 0.5
