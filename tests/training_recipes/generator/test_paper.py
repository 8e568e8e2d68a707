"""Preset ``paper``, whole: every stage at full size on a CPU, and what it takes of memory."""

import json
import os
import sys

import pytest

from echo_augment.augmentor.mcdm import MCDMPipeline

GIGABYTE = 1e9
MOST = 10 * GIGABYTE  # of the process at its peak; 7.5 was measured
SMALLEST = (
    "data.n=8",
    "checkpointing=true",
    *(f"preset.{stage}.steps=2" for stage in ("codec", "reid", "mafe", "denoiser")),
    *(f"preset.{stage}.batch=1" for stage in ("mafe", "denoiser")),
    "preset.mafe.horizon=2",
    "preset.codec.hearts=1",
    "preset.reid.hearts=2",
)
"""Two steps a stage, of one video each; a re-ID model needs two to tell apart."""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the peak of a process is asked of the system")
def test_paper_trains_end_to_end_on_a_cpu_in_less_than_ten_gigabytes(tmp_path):
    """About 13 minutes on one thread."""
    code = "import sys; sys.argv[0] = 'echo-augment'; from echo_augment.training_recipes.cli import main; main()"
    out = tmp_path / "paper"
    job = ["train-generator", "preset=paper", "data=phantom", f"out={out}", "device=cpu", *SMALLEST]
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", code, *job], os.environ)
    _, status, usage = os.wait4(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"peak {peak / GIGABYTE:.2f} GB")
    assert peak < MOST
    pipeline = MCDMPipeline.load(str(out / "generator"))
    assert sum(part.numel() for part in pipeline.denoiser.parameters()) > 189e6
    stages = json.loads((out / "stages.json").read_text(encoding="utf-8"))
    assert "denoiser" in json.dumps(stages)
    assert "without LPIPS" in (out / "generator" / "README.md").read_text(encoding="utf-8")
