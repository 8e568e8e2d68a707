"""The state of a training: a checkpoint brings all of it back, and the weights that count are those in the model."""

import pytest
import torch
from diffusers.training_utils import EMAModel
from torch import nn

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.training.state import Best, TrainingState


def state(seed=0, *, ema=True, width=3) -> TrainingState:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = nn.Linear(width, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    average = EMAModel(model.parameters(), decay=0.9) if ema else None
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    return TrainingState(model=model, optimizer=optimizer, scheduler=scheduler, ema=average)


def train(one: TrainingState, steps: int) -> None:
    """Steps on the same batch."""
    for _ in range(steps):
        one.optimizer.zero_grad()
        one.model(torch.ones(4, one.model.in_features)).square().mean().backward()
        one.optimizer.step()
        one.scheduler.step()
        if one.ema is not None:
            one.ema.step(one.model.parameters())
        one.result.steps += 1


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in module.parameters()]).clone()


def scores(*means: float):
    """A validation that finds these errors, one call after the other."""
    found = iter(means)
    return lambda model: {"mae": next(found)}


def test_a_training_goes_on_from_its_checkpoint_as_if_nothing_had_happened(tmp_path):
    whole, first, second = state(), state(), state(seed=5)
    train(whole, 6)
    train(first, 3)
    first.result.history.append({"step": 3.0, "mae": 1.0})
    first.best = Best(torch.tensor([1.0, 2.0]), {"weight": torch.ones(2, 3)})
    first.save(tmp_path / "t.ckpt")
    second.load(tmp_path / "t.ckpt")
    assert second.result == first.result and second.best.errors.tolist() == [1.0, 2.0]
    assert torch.equal(second.best.weights["weight"], torch.ones(2, 3))
    train(second, 3)
    assert torch.equal(weights(second.model), weights(whole.model)) and second.result.steps == 6
    assert all(torch.equal(a, b) for a, b in zip(second.ema.shadow_params, whole.ema.shadow_params, strict=True))
    assert second.scheduler.get_last_lr() == whole.scheduler.get_last_lr() == [pytest.approx(1e-4)]


def test_a_checkpoint_keeps_its_form(tmp_path):
    one = state()
    one.validate(scores(1.0), "mae", "smallest")
    one.save(tmp_path / "t.ckpt")
    kept = torch.load(tmp_path / "t.ckpt", weights_only=True)
    assert list(kept) == ["model", "optimizer", "scheduler", "ema", "scaler", "result", "best"]
    assert list(kept["result"]) == ["steps", "seconds", "history", "best_step", "losses", "first"]
    assert list(kept["best"]) == ["errors", "weights"] and kept["best"]["weights"].keys() == kept["model"].keys()


@pytest.mark.parametrize("damage", ["other network", "half", "other content", "empty", "text"])
def test_a_checkpoint_that_does_not_fit_is_named_with_the_remedy(tmp_path, damage):
    path = tmp_path / "t.ckpt"
    state(width=5).save(path)
    if damage == "half":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "other content":
        torch.save({"weights": torch.ones(2)}, path)
    elif damage in ("empty", "text"):
        path.write_bytes(b"" if damage == "empty" else b"no checkpoint")
    with pytest.raises(
        EchoAugmentError, match=r"(?s)t\.ckpt does not fit this training .*choose another out=, or delete"
    ):
        state().load(path)


def test_a_killed_save_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    one = state()
    one.save(tmp_path / "t.ckpt")
    before = (tmp_path / "t.ckpt").read_bytes()

    def killed(found, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        one.save(tmp_path / "t.ckpt")
    assert (tmp_path / "t.ckpt").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_the_averaged_weights_are_lent_and_given_back_even_after_an_error():
    one = state()
    train(one, 4)
    own, average = weights(one.model), torch.cat([value.flatten() for value in one.ema.shadow_params])
    assert not torch.equal(own, average)
    one.model.train()
    with one.averaged() as model:
        assert torch.equal(weights(model), average) and not model.training
        assert not model(torch.ones(1, 3)).requires_grad
    assert torch.equal(weights(one.model), own)
    with pytest.raises(ValueError, match="broken"), one.averaged():
        raise ValueError("broken")
    assert torch.equal(weights(one.model), own)


def test_selection_keeps_the_best_and_restores_it():
    one = state(ema=False)
    seen = []
    for score in (3.0, 1.0, 2.0):
        train(one, 2)
        one.validate(scores(score), "mae", "smallest")
        seen.append(weights(one.model))
    assert one.result.best_step == 4 and one.result.history == [
        {"step": 2.0, "mae": 3.0},
        {"step": 4.0, "mae": 1.0},
        {"step": 6.0, "mae": 2.0},
    ]
    one.restore_best()
    assert torch.equal(weights(one.model), seen[1]) and not one.model.training


def test_without_a_selection_the_average_counts_or_else_the_last_weights():
    for ema in (True, False):
        one = state(ema=ema)
        train(one, 4)
        one.validate(scores(3.0), None, "smallest")
        wanted = torch.cat([value.flatten() for value in one.ema.shadow_params]) if ema else weights(one.model)
        one.restore_best()
        assert one.result.best_step == 4 and one.best.weights is None
        assert torch.equal(weights(one.model), wanted)


def test_one_se_needs_single_errors_and_keeps_them_out_of_the_history():
    one = state()
    with pytest.raises(EchoAugmentError, match="selection=one_se needs the errors behind 'mae': mae_each"):
        one.validate(scores(1.0), "mae", "one_se")
    one = state()
    each = torch.tensor([1.0, 3.0])
    one.validate(lambda model: {"mae": 2.0, "mae_each": each}, "mae", "one_se")
    assert one.result.history == [{"step": 0.0, "mae": 2.0}] and one.best.errors.tolist() == [1.0, 3.0]
