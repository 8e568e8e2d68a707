"""The training loop: exact resume after a kill, divergence, selection, and no touch of the global random state."""

import copy
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.training.fit import fit
from echo_augment.training_recipes.training.state import TrainingState


def batches_from(step):
    while True:
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(8, 4, generator=generator)
        yield x, x.sum(1, keepdim=True)
        step += 1


def loss_fn(model, batch):
    x, y = batch
    return {"loss": (model(x) - y).pow(2).mean()}


def build():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.2), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    return model, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)


def run(out, steps, **settings):
    model, optimizer, scheduler = build()
    settings = {"save_every": 7, "ema_decay": 0.9, "progress": False, "log_every": 5, **settings}
    result = fit(
        model,
        batches_from,
        loss_fn,
        steps=steps,
        optimizer=optimizer,
        scheduler=scheduler,
        out=out,
        name="t",
        **settings,
    )
    return model, result


def test_loss_falls_and_log_is_written(tmp_path):
    _, result = run(tmp_path, 60)
    lines = (tmp_path / "t.csv").read_text().splitlines()
    first, last = (float(line.split(",")[1]) for line in (lines[1], lines[-1]))
    assert result.steps == 60 and len(lines) == 13 and last < first / 3


def test_resume_after_kill_is_bit_equal(tmp_path):
    whole, _ = run(tmp_path / "whole", 60)
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[2]); import test_fit as t; from pathlib import Path\n"
        "plain = t.loss_fn\n"
        "def slow(model, batch):\n"
        "    time.sleep(0.05); return plain(model, batch)\n"
        "t.loss_fn = slow; t.run(Path(sys.argv[1]), 60)\n"
    )
    out = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", code, str(out), str(Path(__file__).parent)])
    deadline = time.monotonic() + 120
    while not (out / "t.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    state = torch.load(out / "t.ckpt", weights_only=True)
    assert 0 < state["result"]["steps"] < 60
    resumed, result = run(out, 60)
    assert result.steps == 60
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    steps = [line.split(",")[0] for line in (out / "t.csv").read_text().splitlines()[1:]]
    assert steps == [str(step) for step in range(5, 61, 5)]


def test_divergence_returns_to_the_last_good_checkpoint(tmp_path):
    def poisoned(step):
        for number, (x, y) in enumerate(batches_from(step), start=step):
            yield (x * float("nan"), y) if number == 10 else (x, y)

    model, optimizer, scheduler = build()
    with pytest.raises(EchoAugmentError, match=r"diverged: loss is not finite at step 10.*of step 7"):
        fit(
            model,
            poisoned,
            loss_fn,
            steps=20,
            optimizer=optimizer,
            scheduler=scheduler,
            out=tmp_path,
            name="t",
            save_every=7,
            progress=False,
        )
    kept = torch.load(tmp_path / "t.ckpt", weights_only=True)["model"]
    for key, value in model.state_dict().items():
        assert torch.equal(value, kept[key])


def test_selection_keeps_the_best_weights(tmp_path):
    scores = iter([3.0, 1.0, 2.0])
    seen = []

    def validate(model):
        seen.append({key: value.clone() for key, value in model.state_dict().items()})
        return {"mae": next(scores)}

    model, result = run(tmp_path, 30, validate=validate, validate_every=10, select="mae")
    assert result.best_step == 20 and [item["mae"] for item in result.history] == [3.0, 1.0, 2.0]
    for key, value in model.state_dict().items():
        assert torch.equal(value, seen[1][key])


def test_one_se_keeps_the_latest_weights_that_val_cannot_tell_from_the_best(tmp_path):
    errors = iter([[1.0, 9.0, 5.0], [2.0, 4.0, 3.0], [1.0, 5.5, 3.1], [4.0, 6.0, 5.0]])
    seen = []

    def validate(model):
        seen.append({key: value.clone() for key, value in model.state_dict().items()})
        each = torch.tensor(next(errors))
        return {"mae": float(each.mean()), "mae_each": each}

    how = {"validate": validate, "validate_every": 10, "select": "mae", "selection": "one_se"}
    model, result = run(tmp_path, 40, **how)
    assert result.best_step == 30, "20 is the best, 30 within a standard error of it, 40 is not"
    assert [set(item) for item in result.history] == [{"step", "mae"}] * 4
    for key, value in model.state_dict().items():
        assert torch.equal(value, seen[2][key])


def test_one_se_goes_on_after_a_kill_with_what_it_was_to_be_compared_with(tmp_path):
    errors = [[1.0, 9.0, 5.0], [2.0, 4.0, 3.0], [1.0, 5.5, 3.1]]
    calls = []

    def validate(model):
        if len(calls) == 2:
            calls.append("killed")
            raise KeyboardInterrupt
        each = torch.tensor(errors[len([call for call in calls if call != "killed"])])
        calls.append(each)
        return {"mae": float(each.mean()), "mae_each": each}

    how = {"validate": validate, "validate_every": 10, "select": "mae", "selection": "one_se", "save_every": 5}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, 30, **how)
    state = torch.load(tmp_path / "t.ckpt", weights_only=True)["best"]
    assert state["errors"].tolist() == errors[1], "of step 20, the best so far"
    _, result = run(tmp_path, 30, **how)
    assert result.best_step == 30 and [item["mae"] for item in result.history] == [5.0, 3.0, pytest.approx(3.2)]


def test_global_random_state_is_left_alone(tmp_path):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    run(tmp_path, 5)
    assert torch.equal(before, torch.get_rng_state())


def test_foreign_checkpoint_is_named(tmp_path):
    run(tmp_path, 5)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(EchoAugmentError, match=r"t\.ckpt does not fit this training"):
        fit(model, batches_from, loss_fn, steps=6, optimizer=optimizer, out=tmp_path, name="t", progress=False)


def test_a_loss_that_explodes_stops_at_the_last_good_checkpoint(tmp_path):
    def wild(step):
        for number, (x, y) in enumerate(batches_from(step), start=step):
            yield (x, y + 1e4) if number >= 10 else (x, y)

    model, optimizer, scheduler = build()
    with pytest.raises(EchoAugmentError, match=r"the loss, .* at the start, has grown to .*e\+0.*of step 10"):
        settings = {"save_every": 5, "log_every": 5, "progress": False}
        fit(
            model, wild, loss_fn, steps=20, optimizer=optimizer, scheduler=scheduler, out=tmp_path, name="t", **settings
        )
    kept = torch.load(tmp_path / "t.ckpt", weights_only=True)
    assert kept["result"]["steps"] == 10
    for key, value in model.state_dict().items():
        assert torch.equal(value, kept["model"][key])


def test_two_half_batches_make_the_step_of_a_whole_one(tmp_path):
    def halves(part):
        while True:
            x, y = next(iter(batches_from(part // 2)))
            rows = slice(4 * (part % 2), 4 * (part % 2) + 4)
            yield x[rows], y[rows]
            part += 1

    ends = []
    for name, source, parts in (("whole", batches_from, 1), ("halves", halves, 2)):
        model, optimizer, scheduler = build()
        model[1].p = 0.0
        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=parts)
        settings = {"accelerator": accelerator, "progress": False, "out": tmp_path, "name": name}
        fit(model, source, loss_fn, steps=6, optimizer=optimizer, scheduler=scheduler, **settings)
        ends.append(torch.cat([value.flatten() for value in model.state_dict().values()]))
    torch.testing.assert_close(ends[0], ends[1], atol=1e-6, rtol=1e-5)


def test_the_time_left_is_told_once(tmp_path, capsys):
    run(tmp_path, 15, progress=True, announce=True)
    printed = capsys.readouterr()
    assert len(re.findall(r"t: 5 of 15 steps to go, about \d+ s", printed.out + printed.err)) == 1


class Reads(torch.overrides.TorchFunctionMode):
    """Counts what makes the host wait for a device: numbers read from tensors."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        names = ("item", "tolist", "__float__", "__bool__", "__int__", "cpu", "numpy")
        self.count += getattr(func, "__name__", "") in names
        return func(*args, **(kwargs or {}))


def test_losses_are_read_once_an_interval(tmp_path):
    counts = []
    for steps in (40, 80):
        with Reads() as reads:
            run(tmp_path / str(steps), steps, save_every=1000, log_every=20, ema_decay=None)
        counts.append(reads.count)
    own = 40 * len(list(build()[0].parameters()))  # AdamW reads its counts of steps, which lie in the host's memory
    assert counts[1] - counts[0] - own == 2, "forty more steps, two more intervals"


def test_a_resume_leaves_the_optimisers_counts_in_the_hosts_memory(tmp_path):
    model, optimizer, _ = build()
    loss_fn(model, next(batches_from(0)))["loss"].backward()
    optimizer.step()
    TrainingState(model=model, optimizer=optimizer).save(tmp_path / "t.ckpt")
    model = build()[0].to("meta")  # a device that is not the host's, as a GPU is
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    TrainingState(model=model, optimizer=optimizer).load(tmp_path / "t.ckpt")
    for weight in model.parameters():
        state = optimizer.state[weight]
        assert state["exp_avg"].device.type == "meta" and state["step"].device.type == "cpu"


def test_the_scale_of_an_fp16_training_is_in_its_checkpoint(tmp_path):
    model, optimizer, _ = build()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(torch.ones(()))
    TrainingState(model=model, optimizer=optimizer, scaler=scaler).save(tmp_path / "t.ckpt")
    again = torch.amp.GradScaler("cpu", init_scale=65536.0)
    TrainingState(model=model, optimizer=optimizer, scaler=again).load(tmp_path / "t.ckpt")
    assert again.get_scale() == 1024.0


def test_nothing_of_a_training_stays_in_the_accelerator(tmp_path):
    accelerator = Accelerator(cpu=True)
    model, _ = run(tmp_path, 3, accelerator=accelerator)
    assert accelerator._models == [] and accelerator._optimizers == []
    assert torch.equal(copy.deepcopy(model)[0].weight, model[0].weight), "no wrapper is left around its forward"


class Halves(nn.Module):
    """Has no forward: its loss calls methods, as the codec's calls encode and decode."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 1)

    def encode(self, x):
        return self.inner(x)


def test_the_loss_runs_inside_the_wrapped_modules_forward(tmp_path, monkeypatch):
    wrapped = []

    def prepare(self, module, optimizer):
        wrapped.append(module)
        return nn.Sequential(module), optimizer  # hides the methods of what it wraps, as DDP does

    monkeypatch.setattr(Accelerator, "prepare", prepare)
    model = Halves()
    fit(
        model,
        batches_from,
        lambda net, batch: {"loss": (net.encode(batch[0]) - batch[1]).pow(2).mean()},
        steps=2,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        out=tmp_path,
        name="t",
        accelerator=Accelerator(cpu=True),
        progress=False,
    )
    assert wrapped[0].network is model


@pytest.mark.parametrize("ahead", [1, 3])
def test_batches_drawn_ahead_change_nothing(tmp_path, ahead):
    plain, _ = run(tmp_path / "plain", 12)
    early, _ = run(tmp_path / "early", 12, ahead=ahead)
    for a, b in zip(plain.parameters(), early.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_compiled_training_compiles_network_and_loss_together(tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(type(self).__name__))
    run(tmp_path, 2, compile=True)
    assert compiled == ["Objective"]
