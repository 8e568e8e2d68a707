"""The transport's batches: a frame's flow, look and latents are one heart's; watched hearts never train; it learns."""

import numpy as np
import pytest
import torch

from echo_augment.augmentor.mcdm.displacement import warped
from echo_augment.augmentor.mcdm.motion import feature_channels, pair_motion
from echo_augment.augmentor.mcdm.transport import MotionTransport
from echo_augment.training_recipes.common.ranks import Share
from echo_augment.training_recipes.generator.copies import COPIES, write_copies
from echo_augment.training_recipes.generator.denoiser import Windows, measure_spread
from echo_augment.training_recipes.generator.diffusion import ResidualDiffusion
from echo_augment.training_recipes.generator.motions import DISK, SHOWN, Copies
from echo_augment.training_recipes.generator.transport import (
    CHOSEN_BY,
    displacement_losses,
    explained,
    fit_features,
    seen_of,
    shown_of,
    transport_loss,
    watching,
)

HEARTS, LENGTH = 6, 8  # of the fixture's videos


def still(_rng, count):
    one = torch.ones(count)
    disks = {key: torch.full((count, 1, 1), 0.5) for key in DISK}
    return Copies(torch.eye(2).expand(count, 2, 2), torch.zeros(count, 2), one, one, disks)


@pytest.mark.parametrize("watched", [False, True])
def test_a_frame_has_its_own_hearts_flow_look_and_latents(motions, monkeypatch, watched):
    monkeypatch.setattr("echo_augment.training_recipes.generator.motions.draw_copies", still)
    batch = motions.draw(np.random.default_rng(0), 64, watched=watched)
    flow, frames, disks, features = seen_of(batch, None)
    ed, moved = (frames[:, i, 14, 14] * 255 for i in range(2))
    heart, t = (ed / 20 - 1).round(), (moved - ed).round()
    assert disks.shape == (64, 1, 28, 28) and (disks > 0.99).any() and (disks < 0.01).any() and features == []
    torch.testing.assert_close(flow[:, 0, 14, 14], heart + t / 16, atol=1e-2, rtol=0)
    assert torch.equal(batch["pair"][:, 1, 0, 0].int() - batch["pair"][:, 0, 0, 0].int(), t.int())
    assert ("teacher" in batch) != watched == ("reference" in batch)
    if watched:
        torch.testing.assert_close(batch["reference"][:, 0, 0, 0], heart)
        torch.testing.assert_close(batch["relative"][:, 0, 0, 0], t)
    else:
        torch.testing.assert_close(batch["teacher"][:, 0, 14, 14], heart + t / 16, atol=1e-2, rtol=0)
    assert set(heart.int().tolist()) == ({4, 5} if watched else {0, 1, 2, 3}) and set(t.int().tolist()) == {0, 2, 4, 6}


def test_processes_share_a_batch(motions):
    whole = motions.draw(np.random.default_rng(5), 6)
    parts = [motions.draw(np.random.default_rng(5), 6, Share(rank, 2)) for rank in (0, 1)]
    assert all(torch.equal(whole[key][rank::2], parts[rank][key]) for key in whole for rank in (0, 1))


def test_a_window_is_one_copy_of_one_heart(motions):
    grid = np.array([0, 1, 3, 3])
    window = motions.window(np.random.default_rng(3), 2, grid)
    flow, frames, disks, _ = seen_of(window, None)
    assert window["pair"].shape == (4, 2, 112, 112) and flow.shape == frames.shape == (4, 2, 28, 28)
    assert all(torch.equal(frames[0, 0], frames[t, 0]) and torch.equal(disks[0], disks[t]) for t in (1, 2, 3))
    assert torch.equal(flow[2], flow[3]) and not torch.equal(flow[0], flow[1])
    other = seen_of(motions.window(np.random.default_rng(4), 2, grid), None)[1]
    assert not torch.equal(frames, other)


def test_mafe_reads_the_copies_themselves(with_mafe, monkeypatch):
    motions, mafe = with_mafe
    batch = motions.draw(np.random.default_rng(0), 6)
    flow, frames, disks, features = seen_of(batch, mafe)
    assert flow.shape == (6, 2, 28, 28) == frames.shape and disks.shape == (6, 1, 28, 28)
    assert [part.shape[1:] for part in features] == [(channels, 14 // k, 14 // k) for channels, k in
                                                     zip(feature_channels(mafe), (1, 2), strict=True)]  # fmt: skip
    assert not any(part.requires_grad for part in (flow, *features)), "MAFE is not trained here"
    monkeypatch.setattr("echo_augment.training_recipes.generator.motions.draw_copies", still)
    plain = motions.draw(np.random.default_rng(0), 6)
    pair = plain["pair"].float() / 255
    with torch.no_grad():
        own = pair_motion(mafe, pair[:, :1], pair[:, 1:])
    torch.testing.assert_close(seen_of(plain, mafe)[0], own.flow, atol=1e-3, rtol=1e-3)


def told(codec, frames):
    """What the fixture's latents are of its frames."""
    grey = torch.nn.functional.avg_pool2d(frames[:, None].float(), 8)
    heart = (grey / 20).floor() - 1
    return (heart + grey - 20 * (heart + 1)).expand(-1, 4, -1, -1)


def test_the_predictor_sees_a_copy_of_its_own(motions, monkeypatch):
    monkeypatch.setattr("echo_augment.training_recipes.generator.transport.encode", told)
    batch = motions.draw(np.random.default_rng(0), 5)
    assert not torch.equal(batch["linear"], batch[SHOWN + "linear"])
    same = shown_of(batch | still(None, 5).plain(SHOWN), None)
    ed, moved = (255 * same.pair[:, i, 50, 50] for i in range(2))
    torch.testing.assert_close(same.reference[:, 0, 7, 7], (ed / 20 - 1).round())
    torch.testing.assert_close(same.relative[:, 0, 7, 7], (moved - ed).round())
    torch.testing.assert_close(same.teacher, batch["teacher"].float(), atol=1e-3, rtol=1e-3)
    wider = still(None, 5)
    wider = Copies(wider.linear * 2, wider.shift, wider.gain * 0.5, wider.gamma, wider.disks)
    other = shown_of(batch | wider.plain(SHOWN), None)
    torch.testing.assert_close(other.teacher, 2 * same.teacher, atol=1e-2, rtol=1e-2)
    torch.testing.assert_close(other.pair[..., 50, 50], 0.5 * same.pair[..., 50, 50], atol=1e-3, rtol=1e-3)


def transport_for(motions, mafe=None):
    features = () if mafe is None else feature_channels(mafe)
    return MotionTransport(6, 16, scale=motions.latents.scale, features=features)


def test_features_are_read_in_units_of_their_own_spread(with_mafe):
    motions, mafe = with_mafe
    transport = transport_for(motions, mafe)
    fit_features(transport, motions, mafe)
    features = seen_of(motions.draw(np.random.default_rng(0), 64), mafe)[3]
    for projection, part in zip(transport.encoder.project, features, strict=True):
        torch.testing.assert_close(projection.spread, part.pow(2).mean((0, 2, 3)).sqrt().clamp_min(1e-4))


@pytest.mark.parametrize("at", [0, 2])
def test_the_denoisers_windows_have_the_codes_of_a_copy(motions, tmp_path, at):
    transport = transport_for(motions).eval()
    write_copies(motions, None, transport, tmp_path / "copies.npy", 0)
    written = np.load(tmp_path / "copies.npy")
    assert written.shape == (HEARTS * LENGTH // 2, COPIES, 6) and written.std() > 0
    windows = Windows(motions.data, motions.latents, tmp_path / "copies.npy", frames=3, kind="transport")
    drawn = windows.window(1, at, 0.6)
    missing = max(0, at + 3 - LENGTH // 2)
    assert drawn["there"].tolist() == [True] * (3 - missing) + [False] * missing
    first = LENGTH // 2 + at
    own = torch.from_numpy(written[first : first + 3 - missing])
    torch.testing.assert_close(drawn["motion"][: 3 - missing], own[:, 1])
    torch.testing.assert_close(windows.window(1, at, 0.2)["motion"][: 3 - missing], own[:, 0])
    assert torch.equal(drawn["motion"][-1], drawn["motion"][-2]) == (missing > 0), "short videos stand still at the end"
    assert windows.mean.tolist() == [0] and windows.std.tolist() == [1]


def test_what_is_diffused_is_what_the_transport_leaves(motions, tmp_path):
    transport = transport_for(motions).eval()
    write_copies(motions, None, transport, tmp_path / "copies.npy", 0)
    windows = Windows(motions.data, motions.latents, tmp_path / "copies.npy", frames=3, kind="transport")
    spread = measure_spread(windows, transport)
    batch = windows.draw(np.random.default_rng(0), 5)
    scale = motions.latents.scale
    given = ResidualDiffusion(transport, scale, spread).given(batch)
    with torch.no_grad():
        expected = transport.predict(batch["reference"], batch["motion"])
    unit = torch.tensor(spread)[:, None, None]
    torch.testing.assert_close(expected + given.clean * unit, batch["latents"] * scale, atol=1e-4, rtol=1e-4)
    assert 0.3 < given.clean.pow(2).mean() < 3 and len(spread) == 4


def blobs(count=4):
    """Pairs of frames: a bright blob, and the same 4 pixels to the right."""
    ys, xs = torch.meshgrid(torch.arange(112.0), torch.arange(112.0), indexing="ij")
    frames = [200 * torch.exp(-((xs - at) ** 2 + (ys - 50) ** 2) / 200) for at in (50, 54)]
    return torch.stack(frames).expand(count, -1, -1, -1) / 255


def test_the_displacement_is_taught_by_the_flow_and_by_what_it_makes_of_the_frame():
    pair, teacher = blobs(), torch.zeros(4, 2, 28, 28)
    teacher[:, 0] = 4.0
    right, wrong = -teacher, teacher
    losses = {name: displacement_losses(moves, pair, teacher) for name, moves in
              {"right": right, "still": 0 * right, "wrong": wrong}.items()}  # fmt: skip
    assert losses["right"]["teacher"] < 1e-6 and losses["right"]["light"] < 0.15
    assert losses["still"]["light"] == pytest.approx(1, abs=1e-3)
    assert losses["wrong"]["teacher"] > losses["still"]["teacher"] > 1 and losses["wrong"]["light"] > 1.5
    rough = right + torch.randn(right.shape, generator=torch.Generator().manual_seed(0))
    assert losses["right"]["smooth"] < 1e-6 and displacement_losses(rough, pair, teacher)["smooth"] > 1
    after = warped(pair[:, :1], right, side=112)
    assert (after - pair[:, 1:]).abs().max() < 12 / 255


def test_weights_are_chosen_by_what_they_leave_unexplained(motions):
    transport = transport_for(motions).eval()
    found, figures = watching(motions, None)(transport), explained(transport, motions, None)
    assert found == figures | {CHOSEN_BY: pytest.approx(1 - figures["explained"])} and found["explained"] != 0


@pytest.mark.parametrize("read", ["flow", "mafe"])
def test_training_explains_what_moves(motions, with_mafe, monkeypatch, read):
    monkeypatch.setattr("echo_augment.training_recipes.generator.transport.encode", told)
    mafe = None
    if read == "mafe":
        motions, mafe = with_mafe
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        transport = transport_for(motions, mafe)
        if mafe is not None:
            fit_features(transport, motions, mafe)
        optimizer = torch.optim.AdamW(transport.parameters(), lr=5e-3)
        before = explained(transport.eval(), motions, mafe, 64)["explained"]
        loss_fn, rng = transport_loss(motions.latents.scale, mafe, None), np.random.default_rng(1)
        for _ in range(60):
            losses = loss_fn(transport.train(), motions.draw(rng, 16) | still(None, 16).plain(SHOWN))
            optimizer.zero_grad()
            losses["loss"].backward()
            optimizer.step()
    after = explained(transport.eval(), motions, mafe, 64)["explained"]
    assert before < 0.3 and after > 0.5
    assert losses["error"] < 0.5
    for name, weight in transport.named_parameters():
        assert weight.grad is not None and (weight.grad.abs().sum() > 0 or "bias" in name), name
