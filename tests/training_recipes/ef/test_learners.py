"""How a batch teaches: by its labels, and by agreement with a copy that follows slowly."""

import numpy as np
import pytest
import torch
from torch import nn

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.ef.learners import MeanTeacher, Supervised, make_learner
from echo_augment.training_recipes.jobs import train_ef as _registers  # noqa: F401  its settings

MEAN_TEACHER = {"learner": {"_target_": "echo_augment.training_recipes.ef.learners.MeanTeacher", "decay": 0.5}}


class Mean(nn.Module):
    """EF is a weight times the clip's mean."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, clips):
        return self.weight * clips.mean((1, 2, 3, 4))


def test_the_mean_teacher_follows_slowly_and_only_the_student_has_gradients():
    learner = MeanTeacher(Mean(), steps=10, decay=0.9, shift=2, gain=0.0).train()
    with torch.no_grad():
        learner.student.weight.fill_(4.0)
        learner.step = 100
    student, wanted = learner(torch.ones(2, 3, 2, 8, 8))
    assert float(learner.net.weight) == pytest.approx(0.9 * 2 + 0.1 * 4)
    assert wanted.tolist() == pytest.approx([2.2, 2.2])
    found = learner.loss(torch.stack([student, wanted]), torch.tensor([10.0, float("nan")]))
    assert found["supervised"].item() == pytest.approx(36.0)
    assert found["consistency"].item() == pytest.approx((4 - 2.2) ** 2, rel=1e-5)
    assert found["loss"].item() == pytest.approx(36 + (4 - 2.2) ** 2, rel=1e-5), "past the ramp the weight is 1"
    found["loss"].backward()
    assert learner.student.weight.grad is not None
    assert learner.net.weight.grad is None
    assert learner.eval()(torch.ones(1, 3, 2, 8, 8)).tolist() == pytest.approx([2.2])


def test_a_batch_without_labels_still_has_a_finite_loss_and_the_weight_rises():
    learner = MeanTeacher(Mean(), steps=100, ramp=0.5)
    predicted, nothing = torch.tensor([[4.0, 4.0], [2.0, 2.0]]), torch.full((2,), float("nan"))
    sizes = []
    for step in (0, 25, 50, 90):
        learner.step = step
        sizes.append(float(learner.loss(predicted, nothing)["loss"]))
    assert sizes[0] == pytest.approx(4 * np.exp(-5), rel=1e-4)
    assert sizes[0] < sizes[1] < sizes[2] == sizes[3] == 4
    with pytest.raises(EchoAugmentError, match="decay"):
        MeanTeacher(Mean(), steps=1, decay=1.0)


def test_an_arm_without_a_learner_trains_the_net_itself():
    net = Mean()
    learner = make_learner({"_target_": "x"}, net, 10)
    assert type(learner) is Supervised and learner.module is net
    assert float(learner.loss(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 5.0]))["loss"]) == pytest.approx(2.5)
    assert type(make_learner(MEAN_TEACHER, net, 10)) is MeanTeacher


def test_the_teacher_sees_another_view_and_the_student_the_clip_itself():
    class Sees(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.seen = nn.Parameter(torch.ones(())), []

        def forward(self, clips):
            self.seen.append(clips)
            return clips.mean((1, 2, 3, 4)) * self.weight

    learner = MeanTeacher(Sees(), steps=10, shift=2, gain=0.1).train()
    clips = torch.rand(3, 1, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        learner(clips)
        first = learner.net.seen[0]
        torch.manual_seed(1)
        learner(clips)
    assert torch.equal(learner.student.seen[0], clips) and first.shape == clips.shape
    assert not torch.equal(first, clips) and torch.equal(learner.net.seen[1], first), "drawn from torch's own seed"
    places = [
        torch.nn.functional.pad(clips, (2, 2, 2, 2, 0, 0), mode="replicate")[..., y : y + 8, x : x + 8]
        for y in range(5)
        for x in range(5)
    ]
    gains = [(first / place).flatten(1) for place in places]
    assert any(bool(((gain.amax(1) - gain.amin(1)) < 1e-4).all()) for gain in gains), (
        "moved whole pixels, one gain a clip"
    )
    assert 0.89 < float(first.amax() / clips.amax()) < 1.11


def test_the_teacher_starts_as_the_student_and_its_state_travels():
    learner = MeanTeacher(Mean(), steps=10)
    learner.train()(torch.ones(1, 3, 2, 8, 8))
    with torch.no_grad():
        learner.student.weight.fill_(7.0)
    other = MeanTeacher(Mean(), steps=10)
    other.load_state_dict(learner.state_dict())
    assert other.step == 1 and float(other.student.weight) == 7 and float(other.net.weight) == 2
    assert other.module is other and make_learner(MEAN_TEACHER, Mean(), 10).decay == 0.5
