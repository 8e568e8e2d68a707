"""Two processes that train together: every stage of the generator, EF, a fill; and each of them killed and resumed.

The processes talk by gloo on CPUs, where DDP averages gradients as it does by NCCL on GPUs.
"""

import csv
import json
from pathlib import Path

import pytest
from fakes.generator import SHORT
from fakes.launch import finish, kill_when
from safetensors.torch import load_file

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import ClipStore, verify

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    splits = (0.6, 0.2, 0.2)
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), 12, num_frames=80, seed=6, workers=1, splits=splits)


def generator_job(out: Path, root: Path, *more: str) -> list[str]:
    return ["train-generator", f"out={out}", "data=echonet", f"data.root={root}", *SHORT, *more]


def steps_in(path: Path) -> list[int]:
    return [int(row["step"]) for row in csv.DictReader(path.open(newline=""))]


def equal_weights(one: Path, other: Path) -> bool:
    first, second = (load_file(path / "diffusion_pytorch_model.safetensors") for path in (one, other))
    return first.keys() == second.keys() and all(bool((first[key] == second[key]).all()) for key in first)


REFLOW = ("preset.student.kind=reflow", "only=student")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, root) -> Path:
    out = tmp_path_factory.mktemp("together") / "run"
    finish(out.parent, *generator_job(out, root, *REFLOW, "preset.denoiser.steps=3"))
    return out


def test_every_stage_trains_in_two_processes(trained):
    stages = list(json.loads((trained / "stages.json").read_text())["done"])
    assert stages == [
        *("codec", "latents", "reid", "pseudo", "mafe", "transport", "copies", "denoiser", "couplings", "student")
    ]
    for stage in ("codec", "reid", "mafe", "transport", "denoiser", "student"):
        path = trained / "checkpoints" / f"{stage}.csv"
        steps = steps_in(path)
        assert len(steps) == len(set(steps)) == 1, "one process writes"
    assert (trained / "generator-student" / "model_index.json").is_file() and (trained / "report.json").is_file()
    assert "done before" not in (trained.parent / "rank-1.log").read_text()


@pytest.mark.parametrize(
    "form", [("preset.code=vector", "preset.denoiser.motion=vector"), ("preset.code=mafe",), ("preset.code=flow",)]
)
def test_other_forms_of_motion_train_in_two_processes(trained, root, tmp_path, form):
    finish(tmp_path, *generator_job(tmp_path / "run", root, *form, "only=student", f"reuse={trained}"))
    assert (tmp_path / "run" / "generator-student" / "model_index.json").is_file()


@pytest.mark.parametrize("stage", ["codec", "reid", "mafe", "transport", "denoiser", "student"])
def test_a_killed_stage_goes_on_to_the_weights_of_an_unkilled_run(trained, root, tmp_path, stage):
    more = [f"preset.{stage}.steps=12", f"preset.{stage}.save_every=1", f"only={stage}", "preset.student.kind=reflow"]
    before = [] if stage in ("codec", "reid") else [f"reuse={trained}"]
    if stage == "student":
        more.append("preset.denoiser.steps=3")
    whole, killed = tmp_path / "whole" / "run", tmp_path / "killed" / "run"
    finish(whole.parent, *generator_job(whole, root, *more, *before))
    checkpoint = killed / "checkpoints" / f"{stage}.ckpt"
    kill_when(killed.parent, checkpoint.exists, *generator_job(killed, root, *more, *before))
    assert not (killed / stage).exists(), "in the middle"
    finish(killed.parent, *generator_job(killed, root, *more, *before))
    assert equal_weights(killed / stage, whole / stage)


@pytest.mark.parametrize("stage", ["latents", "pseudo", "motions", "copies", "couplings"])
def test_a_stage_that_writes_arrays_survives_a_kill(trained, root, tmp_path, stage):
    more = ["preset.denoiser.steps=3", "preset.student.kind=reflow", f"only={stage}", "preset.couplings.clips=9"]
    more += ["preset.transport.flow=teacher"] if stage == "motions" else []  # else no stage reads them
    array = tmp_path / "run" / {"pseudo": "pseudo.h5", "motions": "flows.npy"}.get(stage, f"{stage}.npy")
    job = generator_job(tmp_path / "run", root, *more, f"reuse={trained}")
    taken = stage if stage != "couplings" else None
    if taken is not None:  # this run's own: nothing of that stage is taken
        job = [part for part in job if not part.startswith("reuse=")]
    kill_when(tmp_path, lambda: array.exists() or array.with_suffix(".parts").exists(), *job)
    finish(tmp_path, *job)
    assert stage in json.loads((tmp_path / "run" / "stages.json").read_text())["done"]


def ef_job(out: Path, root: Path, *more: str) -> list[str]:
    trainer = ["steps=8", "batch_size=4", "validate_every=4", "stats_clips=2", "test_clips=1", "val_clips=1"]
    job = ["train-ef", f"out={out}", "data=echonet", f"data.root={root}", "arm=real", "val_at_least=2", "device=cpu"]
    return [*job, *(f"trainer.{setting}" for setting in (*trainer, "precision=fp32", "workers=0")), *more]


def test_ef_trains_in_two_processes_and_one_writes(root, tmp_path):
    out = tmp_path / "run"
    finish(tmp_path, *ef_job(out, root))
    result = json.loads((out / "result.json").read_text())
    assert result["steps"] == 8 and result["batch_size"] == 4 and [row["step"] for row in result["history"]] == [4, 8]
    assert "TEST MAE" in (tmp_path / "rank-0.log").read_text()
    assert "TEST MAE" not in (tmp_path / "rank-1.log").read_text()
    assert steps_in(out / "fit.csv") == [8] and not (out / "fit.ckpt").exists()


def test_ef_that_was_killed_goes_on_to_the_same_figures(root, tmp_path):
    whole, killed = tmp_path / "whole" / "run", tmp_path / "killed" / "run"
    longer = ("trainer.steps=40", "trainer.validate_every=10")
    finish(whole.parent, *ef_job(whole, root, *longer))
    kill_when(killed.parent, (killed / "fit.ckpt").exists, *ef_job(killed, root, *longer))
    assert not (killed / "result.json").exists()
    finish(killed.parent, *ef_job(killed, root, *longer))
    one, other = (json.loads((out / "result.json").read_text()) for out in (whole, killed))
    assert one["predictions"] == other["predictions"] and one["history"] == other["history"]


def test_a_batch_that_two_processes_cannot_share_is_named(root, tmp_path):
    with pytest.raises(AssertionError, match=r"trainer.batch_size=3 cannot be shared equally by 2 processes"):
        finish(tmp_path, *ef_job(tmp_path / "run", root, "trainer.batch_size=3"))


def test_a_fill_that_was_killed_is_whole_after_another(root, tmp_path):
    out = tmp_path / "cache"
    job = ["fill-cache", f"out={out}", "data=echonet", f"data.root={root}", "n=12", "steps=0", "batch=2"]
    job += ["shard_clips=2", "device=cpu"]
    kill_when(tmp_path, lambda: len(list(out.rglob("*.h5"))) > 1, *job)
    finish(tmp_path, *job)
    assert len(ClipStore(out).ids) == 12 and verify(out) == []
