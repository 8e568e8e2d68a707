"""Two processes on CPUs: a fill under ``accelerate launch``, a benchmark under Hydra's joblib launcher."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import ClipStore, verify
from echo_augment.cache.manifest import open_manifest

N = 8


@pytest.mark.slow
def test_two_launched_processes_fill_the_plan_exactly_once(tmp_path):
    data, out = write_phantoms(tmp_path / "data", 10, num_frames=80, workers=1, format=2), tmp_path / "cache"
    # --multi_gpu is what makes accelerate start several processes; they work on CPUs all the same
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "-m"]
    command += ["echo_augment.training_recipes", "fill-cache", "data=echonet", f"data.root={data}", f"out={out}"]
    command += [f"n={N}", "steps=2", "batch=2", "shard_clips=2", "device=cpu"]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert result.returncode == 0, result.stderr
    store = ClipStore(out)
    lines = [json.loads(line) for line in (out / "plan.jsonl").read_text().splitlines()[1:]]
    assert sorted(store.ids) == sorted(line["clip_id"] for line in lines[:N]) and verify(out) == []
    assert open_manifest(out).doubled == 0
    last = result.stdout.strip().splitlines()[-1]
    assert last.startswith("rank 0 of 2: 4 of 4 clips") and f"all ranks so far: {N} of {N}; report:" in last
    own = [json.loads((out / f"rank-{rank}-of-2" / "report.json").read_text()) for rank in range(2)]
    assert [(report["rank"], report["fill"]["sealed"]) for report in own] == [(0, 4), (1, 4)]
    whole = json.loads((out / "report.json").read_text())
    assert whole["fill"] == {"wanted": N, "sealed": N, "complete": True, "rejected": {}} and whole["world"] == 2
    assert Path(last.rpartition("report: ")[2]) == out / "report.json"


@pytest.mark.slow
def test_two_joblib_workers_share_a_benchmark(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra joblib is not installed")
    data, out = write_phantoms(tmp_path / "data", 24, num_frames=80, workers=1, format=2), tmp_path / "benchmark"
    command = [sys.executable, "-m", "echo_augment.training_recipes", "benchmark", f"data.root={data}", f"out={out}"]
    command += ["labels=[4]", "seeds=[0,1]", "arm=[real,synthetic]", f"clips={N}", "val_at_least=2", "resamples=199"]
    command += [f"trainer.{name}" for name in ("steps=4", "validate_every=2", "stats_clips=2", "test_clips=1")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    shared = [*command, "-m", "hydra/launcher=joblib", "rank=0,1", "world=2"]
    result = subprocess.run(shared, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert len(list(out.glob("runs/labels-4/*/result.json"))) == 4 and not (out / "report.json").exists()
    alone = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert alone.returncode == 0 and "4 of 4 trainings are done already" in alone.stdout, alone.stderr
    assert json.loads((out / "report.json").read_text())["seeds"] == [0, 1]
