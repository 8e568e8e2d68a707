"""Reflow: pairs of noise and the teacher's clip belong together, are made once, and let one step do what many did."""

import contextlib

import numpy as np
import pytest
import torch
from torch import nn

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.parts import SOLO, Crew
from echo_augment.training_recipes.common.ranks import Share
from echo_augment.training_recipes.generator.denoiser import denoising_loss
from echo_augment.training_recipes.generator.diffusion import (
    LatentDiffusion,
    noise_scheduler,
    path_end,
)
from echo_augment.training_recipes.generator.distil import couplings
from echo_augment.training_recipes.generator.distil.couplings import Couplings

PARTS = "couplings.parts"


class World:
    """Windows of a world in which a clip is all -1 or all 1; the motion tells a window from the others."""

    def draw(self, rng, count):
        return {
            "latents": torch.from_numpy(rng.choice([-1.0, 1.0], (count, 1, 1, 1, 1)).astype(np.float32)),
            "reference": torch.zeros(count, 1, 1, 1),
            "there": torch.ones(count, 1, dtype=torch.bool),
            "motion": torch.from_numpy(rng.random((count, 1, 1), np.float32)),
        }


class Exact(nn.Module):
    """Sees the mean of all clips that a noisy one may come from."""

    def __init__(self):
        super().__init__()
        self.still, self.calls = nn.Parameter(torch.zeros(1)), []

    def forward(self, noisy, steps, reference, motion, drop=None):
        self.calls.append(len(noisy))
        kept = noise_scheduler().alphas_cumprod[steps][:, None, None, None, None]
        clean = torch.tanh(kept.sqrt() * noisy / (1 - kept))
        return (kept.sqrt() * noisy - clean) / (1 - kept).sqrt()


class Learner(nn.Module):
    """v by three layers on the noisy latents and their noise level."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, noisy, steps, reference, motion, drop=None):
        kept = noise_scheduler().alphas_cumprod[steps][:, None, None, None, None]
        return self.layers(torch.cat([noisy.flatten(1), (1 - kept).sqrt().flatten(1)], 1)).view_as(noisy)


def write(folder, teacher=None, *, clips=10, batch=4, steps=8, crew=SOLO, seed=0):
    made = Couplings(World(), folder / "couplings.npy", seed)
    made.write(
        teacher or Exact(),
        LatentDiffusion(),
        clips=clips,
        steps=steps,
        batch=batch,
        autocast=contextlib.nullcontext,
        crew=crew,
    )
    return made


def test_one_step_of_a_model_trained_on_couplings_goes_where_many_of_its_teacher_did(tmp_path):
    made = write(tmp_path, clips=400, batch=400, steps=16)
    # As draw() gives them, all at once.
    numbers = [made.given(number) for number in range(400)]
    pairs = {key: torch.stack([one[key] for one in numbers]) for key in numbers[0]}
    ends = torch.from_numpy(np.load(tmp_path / "couplings.npy").astype(np.float32))
    pairs |= {"clean": ends}
    torch.manual_seed(0)
    student, loss = Learner(), denoising_loss(LatentDiffusion())
    optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
    for _ in range(300):
        optimizer.zero_grad()
        loss(student, pairs)["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        given = LatentDiffusion().given(pairs)
        jumped, at_once = (path_end(LatentDiffusion(), net, pairs["noise"], given, 1) for net in (student, Exact()))
    assert at_once.abs().mean() < 0.1  # the teacher's first look is the mean of both worlds
    assert (jumped.sign() == ends.sign()).float().mean() > 0.95 and jumped.abs().mean() > 0.7


def test_a_pair_is_its_number_and_seed_whatever_it_is_drawn_with(tmp_path):
    made = write(tmp_path)
    ends = np.load(tmp_path / "couplings.npy")
    assert ends.shape == (10, 1, 1, 1, 1) and ends.dtype == np.float16
    batch = made.draw(np.random.default_rng(3), 40)
    of = {float(made.given(number)["motion"]): number for number in range(10)}
    assert len(of) == 10
    for at, motion in enumerate(batch["motion"].flatten().tolist()):
        assert batch["clean"][at] == torch.from_numpy(ends[of[motion]].astype(np.float32))
        assert batch["noise"][at] == made.given(of[motion])["noise"]
    keys = ("noise", "reference", "latents", "motion")
    given = {key: torch.stack([made.given(number)[key] for number in range(10)]) for key in keys}
    again = path_end(LatentDiffusion(), Exact(), given["noise"], LatentDiffusion().given(given), 8)
    torch.testing.assert_close(again, torch.from_numpy(ends.astype(np.float32)), atol=1e-3, rtol=1e-3)
    assert len({one.item() for one in given["noise"]}) == 10
    assert Couplings(World(), tmp_path / "other.npy", 1).given(0)["noise"] != given["noise"][0]


def test_a_killed_run_goes_on_with_the_next_part(tmp_path, monkeypatch):
    write(tmp_path / "whole")

    class Dies(Exact):
        def forward(self, *args, **kwargs):
            if len(self.calls) == 12:
                raise KeyboardInterrupt
            return super().forward(*args, **kwargs)

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "killed", Dies())
    killed = tmp_path / "killed"
    assert [part.name for part in (killed / PARTS).iterdir()] == ["00000000.npy"]
    teacher = Exact()
    write(killed, teacher)
    assert teacher.calls == [4] * 8 + [2] * 8  # eight steps each of the parts that were lacking
    assert (killed / "couplings.npy").read_bytes() == (tmp_path / "whole" / "couplings.npy").read_bytes()
    assert not (killed / PARTS).exists()

    def refuse(*args):
        raise AssertionError("made twice")

    monkeypatch.setattr(couplings, "path_end", refuse)  # killed after joining, before the ledger knew
    write(killed)


class Arrived(BaseException):
    pass


def arrive():
    raise Arrived


def test_processes_share_the_parts(tmp_path):
    write(tmp_path / "one")
    with pytest.raises(Arrived):
        write(tmp_path / "two", crew=Crew(Share(1, 2), arrive))
    assert [part.name for part in (tmp_path / "two" / PARTS).iterdir()] == ["00000004.npy"]
    teacher = Exact()
    write(tmp_path / "two", teacher, crew=Crew(Share(0, 2)))
    assert teacher.calls == [4] * 8 + [2] * 8
    assert (tmp_path / "one" / "couplings.npy").read_bytes() == (tmp_path / "two" / "couplings.npy").read_bytes()


@pytest.mark.parametrize("damage", ["missing", "short", "torn"])
def test_a_part_that_is_not_whole_is_named_and_nothing_is_joined(tmp_path, damage):
    part = tmp_path / PARTS / "00000004.npy"

    def harm():
        whole = part.read_bytes()
        if damage == "missing":
            part.unlink()
        elif damage == "short":
            np.save(part, np.load(part)[:3])
        else:
            part.write_bytes(whole[:-3])

    with pytest.raises(EchoAugmentError, match=r"00000004\.npy: "):
        write(tmp_path, crew=Crew(wait=harm))
    assert not (tmp_path / "couplings.npy").exists() and (tmp_path / PARTS / "00000008.npy").exists()
