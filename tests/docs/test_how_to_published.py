"""The commands of the guides on published weights and metrics run as they stand, on random weights in the layouts."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from fakes.metric_networks import write_networks
from fakes.peers import write_set
from fakes.published import FRAMES, write_layout
from hydra import compose, initialize_config_module

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.mcdm import MAFE, MCDMPipeline
from echo_augment.augmentor.mcdm.mafe.published import published_name
from echo_augment.cache import ClipStore
from echo_augment.training_recipes.cli import find_jobs, in_settings_words
from echo_augment.training_recipes.filling.peers import import_peer_clips

GUIDES = Path(__file__).parents[2] / "docs" / "how-to"
SMALL = {"fill-cache": ["n=2", "steps=2", "batch=2", "device=cpu", "gates.image=false"]}
COMPOSED = ("benchmark", "train-generator")  # they take minutes, or hours


def blocks(guide, language):
    text = (GUIDES / guide).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(block):
    return [shlex.split(line) for line in block.replace("\\\n", " ").strip().splitlines()]


def run(command, *more):
    program, job, *overrides = command
    assert program == "echo-augment"
    found = find_jobs()[job].load()
    words = in_settings_words(job, [*overrides, *SMALL.get(job, []), *more])
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose(job, words)
    if job not in COMPOSED:
        found(cfg)
    return cfg


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mafe(folder):
    """A small MAFE, and its checkpoint in EMA-VFI's layout."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        mafe = MAFE(4, (1, 1, 1, 1, 1), (1, 2), channels=3)
    (folder / "runs").mkdir()
    for name in ("mafe.pkl", "ours_t.pkl"):
        weights = {f"module.{published_name(name)}": value for name, value in mafe.state_dict().items()}
        torch.save(weights, folder / "runs" / name)
    return mafe


def test_published_weights(folder, mafe, capsys):
    """From a checkpoint in MCDM's layout to an augmented data set, and the same of EchoNet-Synthetic's."""
    write_layout(folder / "HReynaud" / "EchoNet-Synthetic")
    write_layout(folder / "runs" / "mcdm", token=2 * mafe.vector_size, unet="unet_ema")
    write_phantoms(folder / "data" / "echonet", 8, num_frames=60, splits=(0.75, 0.25, 0), workers=1)
    synthetic, mcdm, emavfi, opponent = (commands(block) for block in blocks("published-weights.md", "bash"))
    for command in (*synthetic, *mcdm):
        run(command)
    for cache, preset, sampler in (("told", "echonet-synthetic", "ddpm-2"), ("mcdm", "mcdm", "ddpm-2")):
        store = ClipStore(folder / "cache" / cache)
        assert len(store) == 2
        for clip in store:
            assert clip.frames.shape == (FRAMES, 112, 112) and (clip.ed_frame, clip.masks) == (-1, None)
            assert (clip.provenance.preset, clip.provenance.sampler) == (preset, sampler)
    pipeline = MCDMPipeline.from_pretrained("runs/mcdm-generator")
    assert pipeline.config["code"] == "vector" and pipeline.mafe is not None
    exec(blocks("published-weights.md", "python")[0], {})
    assert capsys.readouterr().out.strip().splitlines()[-1] == "(3, 16, 112, 112)"
    run(emavfi[0])
    assert MAFE.from_pretrained("runs/mafe").config["width"] == 4
    assert run(emavfi[1]).preset.mafe.start == "runs/mafe"
    cfg = run(opponent[0])
    assert cfg.generator.ef_conditioned == "runs/echonet-synthetic" and "ef_conditioned" in cfg.arm


def test_published_metrics(folder):
    write_networks(folder / "weights")
    write_set(folder / "data" / "echonet", [(f"v{k}", 50 + k, "VAL") for k in range(8)], frames=80, side=64)
    write_set(folder / "set", [(f"s{k}", 50 + k, "TRAIN") for k in range(4)], frames=80, side=64)
    import_peer_clips(folder / "set", folder / "cache" / "mine", origin="Somebody", progress=False)
    shutil.copytree(folder / "set" / "Videos", folder / "samples")
    both = [commands(block) for block in blocks("published-metrics.md", "bash") if "fidelity" in block]
    for (command,) in both:
        cfg = run(command, "metrics.images=12", "device=cpu")
        text = (Path(cfg.out) / "fidelity.md").read_text(encoding="utf-8")
        assert "## Published metrics, against 4 real videos" in text and "i3d_torchscript.pt" in text
    assert len(both) == 2, "a cache and a plain folder"
