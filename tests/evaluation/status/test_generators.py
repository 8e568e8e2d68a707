"""How far a generator's training is: stages by the table of the stages."""

import json
import os
import time

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.status import generators
from echo_augment.evaluation.status.generators import generator_state, last_stage
from echo_augment.evaluation.status.state import DONE, RUNNING, STOPPED
from echo_augment.training_recipes.common.run_folder import shown_running
from echo_augment.training_recipes.generator.preset import named_preset


@pytest.fixture
def short(monkeypatch):
    """Three stages: which ones a preset has is tested with the table of the stages."""
    monkeypatch.setattr(generators, "stage_names", lambda preset, last: ["codec", "latents", last])


def ledger(**done):
    return {"settings": {"preset": {"denoiser": {"steps": 100}}}, "done": done}


def test_stages_are_done_running_and_left(folder, short):
    run = folder(job="train-generator")
    run.write("stages.json", ledger(codec={"seconds": 120.0}))
    state = generator_state(run.folder)
    assert (state.word, state.done, state.left) == (STOPPED, ["codec, 2 min"], ["latents, then denoiser"])
    with shown_running(run.folder):
        state = generator_state(run.folder)
    assert state.word == RUNNING and state.running[0] == "latents" and state.left == ["denoiser"]


def test_the_last_stage_tells_its_time(folder, short):
    run = folder(job="train-generator")
    run.write("stages.json", ledger(codec={"seconds": 1.0}, latents={}))
    log = run.write("checkpoints/denoiser.csv", "step,loss,lr,s\n25,0.5,0.1,50\n")
    state = generator_state(run.folder)
    assert state.running == ["denoiser: 25 of 100 steps"] and state.seconds == pytest.approx(150.0)
    assert state.left == ["the pipeline and the report"]
    os.utime(log, (time.time() - 10_000,) * 2)
    assert generator_state(run.folder).word == STOPPED


def test_all_stages_make_it_done(folder, short):
    run = folder(job="train-generator", only="latents")
    run.write("stages.json", ledger(codec={}, latents={}))
    assert generator_state(run.folder).word == DONE


def test_the_last_stage_follows_from_the_settings():
    assert [last_stage(one) for one in ({}, {"only": "mafe"}, {"distil": "bundled"})] == ["denoiser", "mafe", "student"]


@pytest.mark.parametrize("preset", ["tiny", "base", "paper"])
def test_the_stages_follow_from_the_ledger_as_a_run_writes_it(folder, preset):
    run = folder(job="train-generator", only="latents")
    kept = {"preset": named_preset(preset).plain(), "seed": 0, "videos": "x"}
    run.write("stages.json", {"settings": kept, "done": {"codec": {"seconds": 60.0}}})
    state = generator_state(run.folder)
    assert (state.done, state.left) == (["codec, 60 s"], ["latents"])


@pytest.mark.parametrize("content", ["{", "{}", json.dumps({"settings": {"preset": {"none": 1}}})])
def test_a_damaged_ledger_is_named(folder, content):
    run = folder(job="train-generator")
    run.write("stages.json", content)
    with pytest.raises(EchoAugmentError, match=r"stages\.json: is damaged, or of another version"):
        generator_state(run.folder)
