"""What fits into how much memory, what to set for it, and what is said of it."""

import pytest
import torch
from fakes.generator import preset

from echo_augment.training_recipes.doctor import training
from echo_augment.training_recipes.doctor.memory import Needs
from echo_augment.training_recipes.doctor.steps import training_steps
from echo_augment.training_recipes.doctor.training import (
    Fit,
    StageForecast,
    findings_of,
    fit_into,
    forecast,
    memory_of,
    table,
    to_set,
)
from echo_augment.training_recipes.generator.networks import build_networks

NEEDS = Needs(fixed=10, item=10, checkpointed=5)
SMALL = ("preset=tiny", "preset.codec.channels=[8,8,8,8]", "preset.denoiser.residual.channels=[8,16]")


@pytest.mark.parametrize(
    ("memory", "items", "checkpointing"),
    [(400, 16, False), (120, 16, True), (80, 8, True), (60, 8, True), (18.2, 1, True), (10, 0, True)],
)
def test_a_batch_fits_whole_or_checkpointed_or_in_equal_parts(memory, items, checkpointing):
    found = fit_into(memory, NEEDS, 16)
    assert (found.items, found.checkpointing) == (items, checkpointing)
    assert found.gigabytes * 1e9 == pytest.approx(NEEDS.of(max(1, items), checkpointing=checkpointing))


def test_parts_are_not_checkpointed_without_need():
    assert fit_into(110, NEEDS, 16) == Fit(items=16, checkpointing=True, gigabytes=90 / 1e9, most=8)
    assert fit_into(30, Needs(fixed=10, item=10), 2) == Fit(items=1, checkpointing=False, gigabytes=20 / 1e9, most=1)


def steps():
    chosen = preset(*SMALL)
    with torch.random.fork_rng([]):
        return chosen, list(training_steps(chosen, build_networks(chosen), lambda module: module).values())


def test_what_is_to_be_set_makes_up_for_parts():
    chosen, found = steps()
    whole = {one.stage: Fit(items=one.items, checkpointing=False, gigabytes=1, most=99) for one in found}
    assert to_set(found, whole) == []
    again = whole | {"student": Fit(items=12, checkpointing=True, gigabytes=1, most=9)}
    assert to_set(found, again) == ["checkpointing=true"]
    overrides = to_set(found, again | {"denoiser": Fit(items=3, checkpointing=True, gigabytes=1, most=2)})
    assert overrides[:2] == ["checkpointing=true", "accumulate=4"]
    assert "preset.denoiser.batch=3" in overrides and "preset.reid.hearts=16" in overrides
    set_so = preset(*SMALL, *(one for one in overrides if one.startswith("preset.")))
    assert 4 * set_so.denoiser.batch == chosen.denoiser.batch and 4 * set_so.codec.hearts == chosen.codec.hearts


def stage_of(seconds=1.0, items=16, name="denoiser"):
    fit = Fit(items=items, checkpointing=True, gigabytes=3.21, most=4)
    return StageForecast(stage=name, batch=16, fit=fit, seconds=seconds, count=3600)


def test_what_stands_in_the_way_is_found():
    chosen = preset(*SMALL)
    assert findings_of(chosen, 4e9, [], [stage_of()]) == []
    [small] = findings_of(chosen, 4e9, ["checkpointing=true"], [stage_of()])
    assert small.level == "warning" and "4.0 GB" in small.message and small.remedy.endswith("checkpointing=true")
    [none] = findings_of(chosen, 4e9, ["accumulate=16"], [stage_of(items=0)])
    assert none.level == "error" and "denoiser takes 3.2 GB, and 4.0 GB are free" in none.message
    [slow] = findings_of(chosen, 4e9, [], [stage_of(), stage_of(200.0, name="codec")])
    assert slow.kind == "time" and "8.4 days" in slow.message and "preset.codec.steps" in slow.remedy


def test_the_table_names_parts_and_sums():
    between = StageForecast(stage="latents", batch=None, fit=None, seconds=0.5, count=7465)
    lines = table([stage_of(items=4), between]).splitlines()
    assert "| denoiser | 16 as 4 x 4 | 3.2 GB, checkpointed | 4 | 1 s a step | 3,600 | 60 min |" in lines
    assert "| latents |  |  |  | 0.5 s a video | 7,465 | 62 min |" in lines
    assert lines[-1].endswith("| 2.0 h |")


def test_a_forecast_of_all_stages(monkeypatch):
    chosen, asked = preset(*SMALL), []

    def count_needs(given, precision):
        asked.append((given.name, precision))
        stages = ("codec", "reid", "mafe", "transport", "student")
        return dict.fromkeys(stages, Needs(fixed=1, item=1)) | {"denoiser": NEEDS}

    monkeypatch.setattr(training, "count_needs", count_needs)
    monkeypatch.setattr(training, "between_seconds", lambda *_: {"latents": 2.0})
    monkeypatch.setattr(training, "host_seconds", lambda step, _: 9.0 if step.stage == "mafe" else 0.0)
    monkeypatch.setattr(training, "step_seconds", lambda step, items, *_, checkpointing: 0.5 * items)
    before = torch.get_rng_state()
    facts, findings, stages = forecast(chosen, torch.device("cpu"), "bf16", videos=10, memory=90)
    assert torch.equal(before, torch.get_rng_state()) and asked == [("tiny", "bf16")]
    found = {one.stage: one for one in stages}
    assert found["codec"].seconds == 0.5 * chosen.codec.hearts and found["mafe"].seconds == 9.0
    assert found["denoiser"].fit.checkpointing and found["latents"].hours == 20 / 3600
    assert facts["set"] == ["checkpointing=true"] and [one.kind for one in findings] == ["memory"]
    assert facts["hours"] == pytest.approx(sum(one["hours"] for one in facts["stages"].values()))
    assert facts["device"] == "cpu" and facts["videos"] == 10


def test_the_hosts_memory_is_known():
    assert 1e8 < memory_of(torch.device("cpu")) < 1e14
