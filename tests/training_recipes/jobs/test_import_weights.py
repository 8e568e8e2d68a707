"""The job ``import-weights``: what it writes, and what it refuses before any work."""

import json

import pytest
import torch
from fakes.published import write_layout
from hydra import compose, initialize_config_module

from echo_augment.augmentor.mcdm import MAFE, MCDMPipeline
from echo_augment.augmentor.mcdm.mafe.published import published_name
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.cli import in_settings_words
from echo_augment.training_recipes.jobs.import_weights import run


def told(*arguments: str) -> None:
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        run(compose("import-weights", in_settings_words("import-weights", arguments)))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A small MAFE in EMA-VFI's layout."""
    with torch.random.fork_rng([]):
        mafe = MAFE(8, (1, 1, 1, 1, 1), (2, 4), channels=3)
    file = tmp_path_factory.mktemp("emavfi") / "ours.pkl"
    torch.save({f"module.{published_name(name)}": value for name, value in mafe.state_dict().items()}, file)
    return mafe, file


def test_a_generator_comes_in_with_its_report(tmp_path, capsys):
    write_layout(tmp_path / "hub")
    told("from=echonet-synthetic", f"data={tmp_path / 'hub'}", f"out={tmp_path / 'out'}")
    pipeline = MCDMPipeline.load(str(tmp_path / "out"))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["job"] == "import-weights" and report["parameters"]["denoiser"] == pipeline.denoiser.num_parameters()
    assert report["generator"]["scaling_factor"] == 0.21 and report["generator"]["sampler"] == "ddpm"
    assert len(report["fingerprint"]) == 16 and "terms" in report
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert "fill-cache generator=" in last and "ef=table" in last and last.endswith("report.json")


def test_mcdms_with_its_mafe(tmp_path, checkpoint):
    mafe, file = checkpoint
    root = write_layout(tmp_path / "hub", token=2 * mafe.vector_size, unet="unet_ema")
    told("from=mcdm", f"data={root}", f"mafe={file}", "rate=20", "name=mine", f"out={tmp_path / 'out'}")
    pipeline = MCDMPipeline.load(str(tmp_path / "out"))
    assert [pipeline.config[key] for key in ("code", "rate", "preset")] == ["vector", 20.0, "mine"]
    assert all(torch.equal(value, pipeline.mafe.state_dict()[name]) for name, value in mafe.state_dict().items())


def test_emavfis_weights_become_a_mafe(tmp_path, checkpoint, capsys):
    mafe, file = checkpoint
    told("from=emavfi", f"data={file}", f"out={tmp_path}")
    found = MAFE.from_pretrained(tmp_path)
    assert found.config["width"] == 8 and tuple(found.config["heads"]) == (2, 4)
    assert all(torch.equal(value, found.state_dict()[name]) for name, value in mafe.state_dict().items())
    assert f"preset.mafe.start={tmp_path}" in capsys.readouterr().out


def test_a_wrong_layout_names_the_first_missing_file(tmp_path):
    with pytest.raises(EchoAugmentError, match=r"vae/config\.json is missing"):
        told("from=echonet-synthetic", f"data={tmp_path}", f"out={tmp_path / 'out'}")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["from=dynamic", "data=x"], "from must be one of"),
        (["from=mcdm", "data=x"], "mafe is null"),
        (["from=echonet-synthetic", "data=x", "mafe=y"], "mafe=y says nothing to from=echonet-synthetic"),
        (["from=emavfi", "data=x", "rate=16"], "rate=16 says nothing"),
        (["from=mcdm", "data=x", "mafe=y", "rate=0"], "rate must be above 0"),
    ],
)
def test_what_does_not_fit_is_refused(given, message, tmp_path):
    with pytest.raises(EchoAugmentError, match=message):
        told(*given, f"out={tmp_path}")
