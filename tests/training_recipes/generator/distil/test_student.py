"""Consistency distillation: nothing to learn where the student already jumps to the path's end, something else."""

import pytest
import torch
from torch import nn

from echo_augment.training_recipes.generator.diffusion import LatentDiffusion, noise_scheduler
from echo_augment.training_recipes.generator.distil.student import consistency_loss

CLEAN = torch.linspace(-1, 1, 4 * 3 * 2 * 4 * 4).reshape(4, 3, 2, 4, 4)


class Knows(nn.Module):
    """The exact v of a world in which every clip is the batch's, off by ``bias`` in the clean latents."""

    def __init__(self, bias: float = 0.0, frames=(1.0, 1.0, 1.0)) -> None:
        super().__init__()
        self.bias, self.frames = nn.Parameter(torch.tensor(bias)), torch.tensor(frames)[None, :, None, None, None]

    def forward(self, noisy, steps, reference, motion, drop):
        kept = noise_scheduler().alphas_cumprod[steps][:, None, None, None, None]
        clean = CLEAN + self.bias * self.frames * (1 - kept)
        return (kept.sqrt() * noisy - clean) / (1 - kept).sqrt()


def batch(there=None):
    return {
        "latents": CLEAN,
        "reference": torch.zeros(4, 2, 4, 4),
        "motion": torch.zeros(4, 3, 5),
        "there": torch.ones(4, 3, dtype=torch.bool) if there is None else there,
    }


def value(student, teacher, *, grid=8, seed=0, **kwargs):
    torch.manual_seed(seed)
    return consistency_loss(teacher, LatentDiffusion(), grid=grid, noise_offset=0.1)(student, batch(**kwargs))


def test_a_student_that_knows_the_end_has_nothing_to_learn():
    assert value(Knows(), Knows())["loss"] < 1e-6


@pytest.mark.parametrize("grid", [1, 8, 32])
def test_one_that_does_not_is_drawn_to_it(grid):
    student = Knows(0.5)
    optimizer = torch.optim.Adam(student.parameters(), lr=0.05)
    first = value(student, Knows(), grid=grid)["error"]
    for step in range(150):
        optimizer.zero_grad()
        value(student, Knows(), grid=grid, seed=step)["loss"].backward()
        optimizer.step()
    assert student.bias.abs() < 0.1 and value(student, Knows(), grid=grid)["error"] < first / 4


class Watched(Knows):
    """Keeps what it is called with, what it says, and whether gradients are taken."""

    def __init__(self, bias):
        super().__init__(bias)
        self.calls = []

    def forward(self, noisy, steps, reference, motion, drop):
        v = super().forward(noisy, steps, reference, motion, drop)
        self.calls.append((noisy.detach(), steps, v.detach(), torch.is_grad_enabled()))
        return v


def test_the_target_and_the_teacher_get_no_gradient():
    student, teacher = Watched(0.5), Watched(0.2)
    value(student, teacher)["loss"].backward()
    assert [call[3] for call in student.calls] == [True, False] and [call[3] for call in teacher.calls] == [False]
    assert teacher.bias.grad is None and student.bias.grad.abs() > 0


def test_the_target_is_one_ddim_step_of_the_teacher_on():
    student, teacher = Watched(0.5), Watched(0.2)
    value(student, teacher, grid=8, seed=3)
    (noisy, late, _, _), (nearer, early, _, _) = student.calls
    assert torch.equal(noisy, teacher.calls[0][0]) and torch.equal(late, teacher.calls[0][1])
    scheduler = noise_scheduler()
    scheduler.set_timesteps(8)
    inner = [i for i in range(len(late)) if late[i] > 124]
    assert inner and all(int(late[i]) in scheduler.timesteps for i in inner)
    for i in inner:
        step = scheduler.step(teacher.calls[0][2][i], int(late[i]), noisy[i])
        torch.testing.assert_close(nearer[i], step.prev_sample, atol=1e-4, rtol=1e-4)
        assert early[i] == late[i] - 125


def test_frames_that_are_not_there_count_for_nothing():
    there = torch.zeros(4, 3, dtype=torch.bool)
    there[:, 0] = True
    found = [value(Knows(0.5, frames), Knows(), there=there)["error"].item() for frames in ((1, 1, 1), (1, 9, 9))]
    assert found[0] == pytest.approx(found[1]) and found[0] > 0
    assert value(Knows(0.5, (1, 9, 9)), Knows())["error"] > 10 * found[0]
