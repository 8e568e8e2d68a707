"""Networks of a finished generator: taken whole, by one process, and only of one that fits and says what trained it."""

import json
import shutil

import pytest
import torch
from diffusers import AutoencoderKL
from fakes.generator import preset, untrained_generator

from echo_augment.augmentor.mcdm.fingerprint import hash_networks
from echo_augment.augmentor.mcdm.pipeline import BUNDLED, MCDMPipeline
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.generator.distil import source_generator
from echo_augment.training_recipes.generator.distil.source_generator import (
    PARTS,
    load_source,
    load_start,
    take_networks,
)
from echo_augment.training_recipes.generator.ledger import Ledger, RunSettings
from echo_augment.training_recipes.generator.networks import build_networks

SETTINGS = RunSettings(preset={"name": "tiny"}, seed=0, videos="v", teacher="t")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "generator"
    untrained_generator().save_pretrained(folder)
    shutil.copy(BUNDLED / "training_hearts.json", folder)
    return folder


def test_a_source_is_known_by_what_decides_its_clips(copy):
    source = load_source(str(copy), preset())
    assert source.hash == hash_networks(untrained_generator()), "saved or in memory"
    config = json.loads((copy / "model_index.json").read_text())

    def hash_with(**changes):
        (copy / "model_index.json").write_text(json.dumps(config | changes))
        return load_source(str(copy), preset()).hash

    assert hash_with(steps=4) == source.hash, "the number of steps is chosen per call"
    assert hash_with(detail=False) != source.hash != hash_with(code_std=[2.0])
    hash_with()
    denoiser = json.loads((copy / "denoiser" / "config.json").read_text())
    (copy / "denoiser" / "config.json").write_text(json.dumps(denoiser | {"spread": [0.5] * 4}))
    assert load_source(str(copy), preset()).hash != source.hash
    (copy / "denoiser" / "config.json").write_text(json.dumps(denoiser))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("preset.rate=25", r"has rate=12\.5, not 25"),
        ("preset.name=mine", "has preset=tiny, not mine"),
        ("preset.code=flow", "has code=transport, not flow"),
        ("preset.transport.code_size=16", r"has transport\.code_size=12, not 16"),
    ],
)
def test_a_generator_of_another_kind_is_refused(copy, change, message):
    with pytest.raises(EchoAugmentError, match=f"distil={copy}: that generator {message}"):
        load_source(str(copy), preset(change))


def test_one_that_does_not_say_what_trained_it_is_refused(copy, tmp_path):
    silent = shutil.copytree(copy, tmp_path / "silent")
    (silent / "training_hearts.json").unlink()
    with pytest.raises(EchoAugmentError, match=r"there is no training_hearts\.json"):
        load_source(str(silent), preset())


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b'{"first": 1, "content": []}', b"\xff"])
def test_a_damaged_list_of_what_trained_it_is_named(copy, tmp_path, content):
    damaged = shutil.copytree(copy, tmp_path / "damaged")
    (damaged / "training_hearts.json").write_bytes(content)
    with pytest.raises(EchoAugmentError, match=r"training_hearts\.json: does not say which videos"):
        load_source(str(damaged), preset())


def test_one_of_another_diffusion_is_refused(copy, tmp_path):
    other = shutil.copytree(copy, tmp_path / "other")
    path = other / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sigma_max": 80.0}))
    with pytest.raises(EchoAugmentError, match=r"has scheduler\.sigma_max=80\.0, not 4\.0"):
        load_source(str(other), preset())


def test_a_hub_s_list_is_fetched_or_its_lack_is_named(copy, tmp_path, monkeypatch):
    asked = []

    def fetch(name, file):
        asked.append((name, file))
        if name == "owner/silent":
            raise FileNotFoundError("offline")
        return str(copy / file)

    monkeypatch.setattr(source_generator, "hf_hub_download", fetch)
    monkeypatch.setattr(source_generator.MCDMPipeline, "load", lambda name: MCDMPipeline.from_pretrained(str(copy)))
    assert load_source("owner/name", preset()).videos.first and asked == [("owner/name", "training_hearts.json")]
    with pytest.raises(EchoAugmentError, match=r"distil=owner/silent: training_hearts\.json, .* \(offline\)"):
        load_source("owner/silent", preset())


def test_half_taken_networks_are_taken_again_and_done_ones_left(tmp_path):
    pipeline = MCDMPipeline.load("bundled")
    (tmp_path / "codec").mkdir()
    (tmp_path / "codec" / "diffusion_pytorch_model.safetensors").write_bytes(b"half")
    (tmp_path / "stages.json").write_text(json.dumps({"settings": SETTINGS.to_json(), "done": {}}))
    take_networks(Ledger(tmp_path, SETTINGS), pipeline)
    taken = AutoencoderKL.from_pretrained(tmp_path / "codec")
    ours, theirs = taken.state_dict(), pipeline.vae.state_dict()
    assert all(torch.equal(ours[key], value) for key, value in theirs.items())
    stamp = (tmp_path / "denoiser" / "config.json").stat().st_mtime_ns
    stages = take_networks(Ledger(tmp_path, SETTINGS), pipeline)
    assert set(stages.done) == set(PARTS) and (tmp_path / "denoiser" / "config.json").stat().st_mtime_ns == stamp


def test_a_process_that_does_not_write_reads_what_was_taken(tmp_path):
    pipeline = MCDMPipeline.load("bundled")
    reader = Ledger(tmp_path, SETTINGS, writes=False)
    take_networks(Ledger(tmp_path, SETTINGS), pipeline)
    before = sorted(tmp_path.rglob("*"))
    assert set(take_networks(reader, pipeline).done) == set(PARTS) and sorted(tmp_path.rglob("*")) == before


def test_a_start_puts_its_networks_in_the_place_of_fresh_ones(copy):
    settings = preset()
    networks = build_networks(settings)
    source = load_start(str(copy), settings, networks)
    assert networks.denoiser is source.pipeline.denoiser and networks.codec is source.pipeline.vae
    assert source.videos.first and source.folder == copy
    assert all(weight.requires_grad for weight in networks.transport.parameters()), "they are to be trained"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("preset.rate=25", r"has rate=12\.5, not 25"),
        ("preset.mafe.width=8", r"has mafe\.width=4, not 8.*transport\.features"),
        ("preset.denoiser.residual.layers=2", r"has denoiser\.layers=1, not 2"),
        ("preset.code=flow", r"has code=transport, not flow; .*ResidualDenoiser as denoiser, not MotionDenoiser"),
    ],
)
def test_a_start_with_other_networks_is_refused(copy, change, message):
    settings = preset(change)
    with pytest.raises(EchoAugmentError, match=f"start={copy}: that generator {message}"):
        load_start(str(copy), settings, build_networks(settings))


def test_a_start_that_does_not_say_what_trained_it_is_refused(copy, tmp_path):
    silent = shutil.copytree(copy, tmp_path / "silent")
    (silent / "training_hearts.json").unlink()
    with pytest.raises(EchoAugmentError, match=r"start=.*there is no training_hearts\.json"):
        load_start(str(silent), preset(), build_networks(preset()))
