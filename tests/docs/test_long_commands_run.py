"""Commands of the pages that train or measure for long run as they stand, at the smallest sizes, to their reports."""

import re
import shutil
from pathlib import Path

import pytest
from fakes.generator import SHORT
from fakes.pages import LONG, PAGES, ROOT, blocks, calls_of, name_of, run_command, write_titled
from fakes.peers import write_set
from golden.commands import COMMON, FAST

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.mcdm import MCDMPipeline
from echo_augment.cache import ClipStore
from echo_augment.training_recipes.cli import OWN

ELSEWHERE = (
    "docs/how-to/published-metrics.md",
    "docs/evidence/published-metrics.md",
    "docs/how-to/published-weights.md",
)
"""Pages whose commands need networks of others: test_how_to_published.py."""

RUNS_LONG = re.compile(rf"(?:echo-augment|training_recipes|^bench=\") ?(?:{'|'.join(LONG)})\b", re.M)
BLOCKS = [
    pytest.param(page, number, id=f"{name_of(page)}-{number}")
    for page in PAGES
    if name_of(page) not in ELSEWHERE
    for number, block in enumerate(blocks(page, "bash", "console"))
    if RUNS_LONG.search(block) or (name_of(page), "make demo " in block) == ("README.md", True)  # as on other pages
]
LAUNCHED = ("-m", "--help")  # by a launcher: tests/cluster
DATA = ["data=echonet", "data.root=data/EchoNet-Dynamic"]
PHANTOMS = ["data.n=40", "data.splits=[0.5,0.25,0.25]", "+data.frames=72"]  # for jobs that write their own
TRAINER = [*COMMON, "trainer.epochs=null", "trainer.steps=2", "trainer.validate_every=1", *FAST]
EF = [*TRAINER, "trainer.length=8", "trainer.val_clips=1", "trainer.test_clips=1"]
ARMS = ["clips=2", "resamples=199", "workers=1", "generator.steps=1"]
GENERATOR = [*SHORT, "reenactment.videos=1", "reenactment.curve=[1]", "workers=1"]
LARGE = [
    "model.settings.weights=random",  # Kinetics' would be downloaded
    "trainer.length=2",
    "trainer.batch_size=2",
    "trainer.workers=0",
    "label_gate=null",  # nets of a few steps read no EF
]
NETS = [
    "preset.codec.channels=[16,16,16,16]",
    "preset.codec.layers=1",
    "preset.reid.width=16",
    "preset.mafe.width=4",
    "preset.mafe.heads=[1,2]",
    "preset.transport.width=16",
    "preset.denoiser.residual.channels=[16,32]",
    "preset.denoiser.residual.heads=4",
]  # of preset=base, whose own would take a CPU a quarter of an hour
SMALLEST = {
    "doctor": ["device=cpu"],
    "fill-cache": ["n=2", "batch=2", "device=cpu", "masks.at_least=0"],
    "train-ef": EF,
    "train-segmentation": TRAINER,
    "train-generator": [*GENERATOR, *NETS],
    "benchmark": [*ARMS, "seeds=[0]"],
    "demo": [*EF, *ARMS, "seeds=[0,1]"],
    "fidelity": ["pairs=2", "shown=1", "data.limit=2", "device=cpu"],
    "speed": ["quick=true", "hearts=4", "device=cpu"],
}
MAKE_DEMO = re.search(r"^\t\$\(BIN\)/echo-augment (demo out=)\$\(OUT\)$", (ROOT / "Makefile").read_text("utf-8"), re.M)


def smallest(job, arguments):
    """What makes a command small: the last word on a setting counts."""
    more = list(SMALLEST[job])
    given = " ".join(arguments)
    if job in ("benchmark", "demo"):
        phantoms = "data=echonet" not in arguments and not re.search(r"echonet_label_scarce\b(?!_dry)", given)
        more += PHANTOMS if phantoms else []
    if job == "benchmark":
        more += [*TRAINER, "masks_at_least=0"] if "task=segmentation" in arguments else EF
        if "sweep" in given:
            more.append("sweep.values=[0.25,0.5]")  # two at least
        if "echonet_label_scarce" in given:
            more.append("labels=[1/4]")  # of three: 13 arms each
        if {"experiment=echonet_label_scarce", "model=r2plus1d_18"} & set(arguments):
            more += LARGE
        if "generator.weights=null" in arguments or "experiment=echonet_label_scarce" in arguments:
            more.append(f"generator.train=[{','.join(one for one in GENERATOR if not one.startswith('device'))}]")
    if job == "fidelity" and "clips=" in given:
        more.append("data.limit=4")  # two a set for a distance
    return more


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """What the pages take for granted: data sets, a cache, a teacher, a segmenter and a generator."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(home)
        sizes = {"num_frames": 72, "workers": 1, "splits": (0.5, 0.25, 0.25)}
        write_phantoms("data/EchoNet-Dynamic", 40, seed=30, format=2, **sizes)
        write_phantoms("data/OTHER", 8, seed=31, **sizes)
        shutil.copytree("data/EchoNet-Dynamic", "data/real")
        write_set(
            home / "data" / "peers", [(f"s{k}", 30.0 + 5 * k, "TRAIN") for k in range(6)], frames=80, light=(0, 70)
        )
        for command in (
            ["train-ef", *DATA, "out=runs/teacher", *EF],
            ["train-segmentation", *DATA, "out=runs/segmenter", *TRAINER],
            ["fill-cache", *DATA, "out=cache/dynamic", "n=4", "batch=4", "device=cpu"],
            ["cache", "action=import", "data.root=data/peers", "provenance=Peers", "cache=cache/peer"],
        ):
            run_command(command, monkeypatch)
    MCDMPipeline.load("bundled").save_pretrained(home / "runs" / "generator" / "generator")
    (home / "exclude.txt").write_text(ClipStore(home / "cache" / "dynamic").ids[0] + "\n")
    return home


def commands(page, number, folder):
    """The arguments of every command of a block that is no launcher's; a launcher's is the command without it."""
    for program, *arguments in calls_of(blocks(page, "bash", "console")[number], folder):
        if program == "make" and arguments == ["demo"]:
            yield f"{MAKE_DEMO[1]}runs/demo".split()
        elif program == "echo-augment" and not set(arguments) & set(LAUNCHED):
            yield arguments


@pytest.mark.slow
@pytest.mark.parametrize(("page", "number"), BLOCKS)
def test_long_commands_run(page, number, home, tmp_path, monkeypatch):
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    write_titled(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    ran, made = set(), set()
    for job, *arguments in commands(page, number, tmp_path / "shell"):
        (out,) = [Path(one.removeprefix("out=")) for one in arguments if one.startswith("out=")]
        if out not in made:  # what the block makes itself is not there before
            shutil.rmtree(out, ignore_errors=True)
            made.add(out)
        run_command([job, *arguments, *smallest(job, arguments)], monkeypatch)
        assert (out / "report.json").is_file() or ClipStore(out), f"{job} left no report"
        ran.add(job)
    assert ran & set(LONG) and ran <= set(OWN)


def test_every_long_job_has_a_page():
    text = "\n".join(blocks(page, "bash", "console")[number] for page, number in (one.values for one in BLOCKS))
    assert all(re.search(rf"\b{job}\b", text) for job in LONG)
