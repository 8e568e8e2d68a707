"""Commands of the golden tests. One child process runs them all, one after the other: ``commands.py jobs FOLDER``.

In a process of their own, so that recording and testing happen under the same conditions: one thread, no state of
pytest, no rank of a cluster.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent
CONDITIONS = {
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # where a processor has bf16, clips are made in it, and differ by grey levels
}
"""The same arithmetic on every machine."""

SET, CACHE, REAL = "set", "cache", "ef-real"  # folders that others need

COMMON = ["device=cpu", "trainer.precision=fp32", "trainer.batch_size=4", "trainer.stats_clips=4", "val_at_least=2"]
EF = ["trainer.steps=6", "trainer.validate_every=2", "trainer.length=8", "trainer.val_clips=1", "trainer.test_clips=2"]
SEG = ["trainer.steps=2", "trainer.validate_every=1"]
FAST = ["trainer.schedule.warmup=1"]  # so that so few steps teach the net something
BATCHES = {"codec.hearts": 4, "reid.hearts": 4, "mafe.batch": 2, "transport.batch": 8, "denoiser.batch": 2}
STAGES = [
    f"preset.{stage}.{what}"
    for stage in ("codec", "reid", "mafe", "transport", "denoiser")
    for what in ("steps=2", "warmup=1")
]


def job_commands(root: Path) -> list[tuple[str, list[str]]]:
    """``(folder, arguments)`` of every job that is run; ``folder`` is below ``root`` and gets ``report.json``."""
    data = ["data=echonet", f"data.root={root / SET}"]
    clips = f"+caches.synthetic={root / CACHE}"
    ef = ["train-ef", *data, *COMMON, *EF, *FAST, "labels=6"]
    phantom = ["phantom", "n=24", "frames=72", "workers=1", "splits=[0.4,0.2,0.4]", "format=2"]
    fill = ["fill-cache", *data, "n=4", "batch=4", "reserve=0.5", "device=cpu"]
    check = ["doctor", f"cache={root / CACHE}", "device=cpu"]
    arms = ["arm=[real,synthetic]", "labels=[4]", "seeds=[0,1]", "clips=4", "generator.batch=4"]
    sizes = [*STAGES, *(f"preset.{key}={value}" for key, value in BATCHES.items())]
    return [
        (SET, phantom),
        (CACHE, fill),
        ("cache-info", ["cache", "action=info", f"cache={root / CACHE}"]),
        ("cache-verify", ["cache", "action=verify", f"cache={root / CACHE}"]),
        (REAL, ef),
        ("ef-synthetic", [*ef, "arm=synthetic", clips]),
        ("segmentation", ["train-segmentation", *data, *COMMON, *SEG, *FAST, "labels=4"]),
        ("benchmark", ["benchmark", *data, *COMMON, *EF, *FAST, *arms, "resamples=199", "workers=1"]),
        ("generator", ["train-generator", *data, "preset=tiny", "precision=no", "device=cpu", *sizes]),
        ("doctor", [*check, f"data.root={root / SET}"]),
        ("doctor-damaged", [*check, f"data.root={root / 'damaged'}"]),
        ("fidelity", ["fidelity", "pairs=3", "shown=1", "device=cpu"]),
        ("speed", ["speed", "tables=[store]", "quick=true", "hearts=2", f"data.root={root / SET}", "device=cpu"]),
    ]  # fmt: skip


AGAIN = (REAL, "benchmark")  # run a second time: nothing is trained again
LAID_OUT = (SET, CACHE, REAL, "segmentation", "benchmark", "generator", "fidelity", "doctor")  # whose files are listed

ARMS = ("real", "classical", "pseudo_label", "mean_teacher", "synthetic", "synthetic+classical",
        "synthetic+pseudo_label", "oracle", "full")  # fmt: skip
RENAMED_EXPERIMENTS = {f"dose_{name}": f"sweep_{name}" for name in
                       ("clips", "fresh", "gate", "label", "p", "steps", "unlabelled")}  # fmt: skip
"""Files of conf/experiment by the name under which their configuration is frozen."""

EXPERIMENTS = ("dose_clips", "dose_fresh", "dose_gate", "dose_label", "dose_p", "dose_steps", "dose_unlabelled",
               "echonet_label_scarce", "echonet_label_scarce_dry", "evidence", "evidence_harm",
               "evidence_segmentation")  # fmt: skip
JOBS = ("demo", "doctor", "phantom", "train-generator", "fill-cache", "cache", "train-ef", "train-segmentation",
        "benchmark", "fidelity", "speed")  # fmt: skip
OUT = "runs/golden"


def config_commands() -> dict[str, list[str]]:
    """Arguments of every configuration that is frozen, by a name for its file."""
    found = {job: [job] for job in JOBS}
    found |= {
        f"benchmark.{name}": ["benchmark", f"experiment={RENAMED_EXPERIMENTS.get(name, name)}"] for name in EXPERIMENTS
    }
    found |= {f"train-generator.{name}": ["train-generator", f"preset={name}"] for name in ("tiny", "base", "paper")}
    for job in ("train-ef", "train-segmentation"):
        found |= {f"{job}.{name}": [job, f"arm={name}"] for name in ARMS}
        found[f"{job}.phantom"] = [job, "data=phantom"]
    found |= {f"train-ef.{name}": ["train-ef", f"model={name}"] for name in ("tiny", "r2plus1d_18")}
    names = ("unet", "deeplabv3_resnet50")
    found |= {f"train-segmentation.{name}": ["train-segmentation", f"model={name}"] for name in names}
    found["benchmark.segmentation"] = ["benchmark", "task=segmentation"]
    found["benchmark.arms"] = ["benchmark", f"arm=[{','.join(ARMS)}]"]
    for job in ("benchmark", "demo", "fill-cache", "train-generator"):
        found[f"{job}.echonet"] = [job, "data=echonet", "data.root=data"]
    found["cache.echonet"] = ["cache", "data=echonet", "data.root=data"]
    return found


def call(arguments: Sequence[str]) -> tuple[int, str]:
    """Exit code and standard output of ``echo-augment`` with these arguments, in this process."""
    from reach import command_line

    before, printed = sys.argv, io.StringIO()
    sys.argv = ["echo-augment", *arguments]
    try:
        with contextlib.redirect_stdout(printed):
            command_line()
    except SystemExit as end:
        return int(end.code or 0), printed.getvalue()
    finally:
        sys.argv = before
    return 0, printed.getvalue()


def trained(folder: Path) -> dict[str, int]:
    """When the result of each training below a folder was written, in ns."""
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("result.json")}


def run_jobs(root: Path) -> None:
    """Run every job; what is not in the reports goes to ``jobs.json``: exit codes, seconds, second runs."""
    import frozen

    done: dict[str, dict[str, object]] = {}
    for name, arguments in job_commands(root):
        began = time.monotonic()
        code, printed = call([*arguments, f"out={root / name}"])
        done[name] = {"exit": code, "seconds": time.monotonic() - began, "printed": printed}
        if name == SET:
            shutil.copytree(root / SET, root / "damaged")
            (root / "damaged" / "Videos" / "P0000003.avi").write_bytes(b"no video")
            (root / "damaged" / "Videos" / "P0000004.avi").unlink()
    for name in AGAIN:
        first, arguments = trained(root / name), dict(job_commands(root))[name]
        code, _ = call([*arguments, f"out={root / name}"])
        done[name]["again"] = {"exit": code, "first": first, "second": trained(root / name)}
    frozen.write(root / "line.json", frozen.clip_of_line(root / SET))
    (root / "jobs.json").write_text(json.dumps(done, indent=1), encoding="utf-8")


def compose_configs(root: Path) -> None:
    """Write what ``--cfg job --resolve`` prints to ``<name>.yaml``."""
    for name, arguments in config_commands().items():
        code, printed = call([*arguments, f"out={OUT}", "--cfg", "job", "--resolve"])
        if code:
            raise RuntimeError(f"{' '.join(arguments)} ended with {code}")
        (root / f"{name}.yaml").write_text(printed, encoding="utf-8")


def in_child(what: str, root: Path) -> Path:
    """``jobs`` or ``configs`` by a process of its own; the folder ``root`` holds what came of it."""
    root.mkdir(parents=True, exist_ok=True)
    outside = ("SLURM_", "RANK", "WORLD_SIZE", "LOCAL_RANK", "PMI_", "OMPI_", "HYDRA_FULL_ERROR")
    env = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    env |= CONDITIONS
    arguments = [sys.executable, str(HERE / "commands.py"), what, str(root)]
    result = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=900)
    if result.returncode:
        raise RuntimeError(f"{what} ended with {result.returncode}:\n{result.stdout[-3000:]}\n{result.stderr[-6000:]}")
    (root / "stderr.txt").write_text(result.stderr, encoding="utf-8")
    return root


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """``(path, value)`` of every leaf of mappings, ``a.b.c``; lists and empty mappings are leaves."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


if __name__ == "__main__":
    {"jobs": run_jobs, "configs": compose_configs}[sys.argv[1]](Path(sys.argv[2]))
