"""What stages share: one way to train and to save, and a runner that does each stage once, in order, and loads it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from fakes.generator import settings
from fakes.hearts import LENGTH, write_hearts
from torch import nn

from echo_augment.training_recipes.generator.context import StageContext, run_stages
from echo_augment.training_recipes.generator.ledger import Ledger, RunSettings
from echo_augment.training_recipes.generator.preset import ReidSettings
from echo_augment.training_recipes.generator.settings import GeneratorSettings
from echo_augment.training_recipes.generator.stages import Stage

FIT = ReidSettings(steps=4, lr=0.1, warmup=0, save_every=2, width=8, embedding=4, hearts=2)


class Line(ModelMixin, ConfigMixin):
    """A network of one layer, from a seed."""

    config_name = "config.json"

    @register_to_config
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            self.layer = nn.Linear(3, 1)


def context(out, *overrides, **changes) -> StageContext:
    given = {"settings": settings("device=cpu", *overrides), "data": None, "networks": None, "out": out}
    return StageContext(**{**given, "accelerator": Accelerator(cpu=True), **changes})


def draw(rng, _share):
    return torch.from_numpy(rng.normal(size=(8, 3)).astype(np.float32))


def loss(model, batch):
    return {"loss": (model.layer(batch) - batch.sum(1, keepdim=True)).square().mean()}


def weights(model):
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def trained(out, *overrides, stream=3, fit=FIT):
    model = Line()
    result = context(out, *overrides).train(model, draw, loss, fit, name="line", stream=stream)
    return weights(model), result


def test_a_stage_s_training_follows_from_seed_and_stream(tmp_path):
    one, result = trained(tmp_path / "1")
    assert result.steps == 4 and (tmp_path / "1" / "checkpoints" / "line.ckpt").exists()
    assert torch.equal(trained(tmp_path / "2")[0], one) and not torch.equal(one, weights(Line()))
    assert not torch.equal(trained(tmp_path / "3", "seed=1")[0], one)
    assert not torch.equal(trained(tmp_path / "4", stream=4)[0], one)


def test_a_stage_that_was_stopped_goes_on_to_the_same_weights(tmp_path):
    whole, _ = trained(tmp_path / "whole")
    calls = []

    def stopped(model, batch):
        calls.append(batch)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return loss(model, batch)

    with pytest.raises(KeyboardInterrupt):
        context(tmp_path / "half").train(Line(), draw, stopped, FIT, name="line", stream=3)
    again, result = trained(tmp_path / "half")
    assert torch.equal(again, whole) and result.steps == 4


def test_weight_decay_is_the_stage_s_own_or_adamw_s(tmp_path):
    def decay(given):
        fit = ReidSettings(**{**vars(FIT), "weight_decay": given})
        return trained(tmp_path / str(given), fit=fit)[0]

    assert torch.equal(decay(None), decay(0.01)) and not torch.equal(decay(None), decay(5.0))


def test_a_network_is_saved_in_the_run_s_folder(tmp_path):
    context(tmp_path).save(Line(seed=4), "line")
    assert torch.equal(weights(Line.from_pretrained(tmp_path / "line")), weights(Line(seed=4)))


def test_a_process_that_is_not_the_main_one_saves_nothing(tmp_path):
    context(tmp_path, accelerator=SimpleNamespace(is_main_process=False)).save(Line(), "line")
    assert list(tmp_path.iterdir()) == []


def test_the_preset_has_the_losses_that_the_job_asks_for(tmp_path):
    asked = context(tmp_path, "losses=reid", "only=mafe").preset.mafe.losses
    assert (asked.reid, asked.flow) == (0.3, 0.0)


def test_latents_have_their_own_unit_or_that_of_the_generator_to_distil(tmp_path):
    data = write_hearts(tmp_path)
    np.save(
        tmp_path / "latents.npy", np.arange(data.total, dtype=np.float16)[:, None, None, None] + np.zeros((4, 2, 2))
    )
    own = context(tmp_path, data=data)
    assert own.latents is own.latents, "read once"
    assert own.latents.scale == pytest.approx(np.sqrt(np.mean(np.arange(0, LENGTH, 2) ** 2)))
    source = SimpleNamespace(pipeline=None)
    transport, denoiser = SimpleNamespace(config={"scale": 0.5}), SimpleNamespace(config={"motion_scale": 0.25})
    for given, unit in ((None, 0.25), (transport, 0.5)):
        networks = SimpleNamespace(denoiser=denoiser, transport=given)
        assert context(tmp_path, data=data, source=source, networks=networks).latents.scale == unit


def stages(happened):
    def stage(name, load):
        return Stage(
            name=name,
            outputs=(name,),
            train=lambda context: happened.append(f"train {name}") or {"steps": 1, "seconds": 0.0},
            load=(lambda context: happened.append(f"load {name}")) if load else None,
        )

    return (stage("codec", True), stage("latents", False), stage("reid", True))


@pytest.fixture
def happened(monkeypatch):
    found = []
    monkeypatch.setattr(GeneratorSettings, "stages", property(lambda _: stages(found)))
    return found


def test_each_stage_is_trained_once_and_loaded_every_time(tmp_path, happened):
    run = RunSettings(preset={"name": "tiny"}, seed=0, videos="v")
    run_stages(context(tmp_path), ledger := Ledger(tmp_path, run))
    first = ["train codec", "load codec", "train latents", "train reid", "load reid"]
    assert happened == first and list(ledger.done) == ["codec", "latents", "reid"]
    for name in ("codec", "latents.npy", "reid"):
        (tmp_path / name).touch()
    run_stages(context(tmp_path), Ledger(tmp_path, run))
    assert happened == [*first, "load codec", "load reid"]
