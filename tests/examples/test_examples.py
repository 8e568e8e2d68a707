"""Each example runs as a user would run it, on a dataset and a cache of a few clips."""

import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from echo_augment.augmentor.data import write_video
from echo_augment.cache import EchoClip, StoreWriter

EXAMPLES = Path(__file__).parents[2] / "examples"
NEEDS = {
    "plain_loop": "torch",
    "echonet_run_epoch": "echonet",
    "lightning_loop": "lightning",
    "monai_dict": "monai",
    "stateful_resume": "torchdata",
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("example")
    rng = np.random.default_rng(0)
    (root / "data" / "Videos").mkdir(parents=True)
    rows, traces = (
        ["FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"],
        ["FileName,X1,Y1,X2,Y2,Frame"],
    )
    for k in range(5):
        frames = rng.integers(0, 256, (70, 14, 14), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
        write_video(root / "data" / "Videos" / f"R{k}.avi", frames, 50.0)
        rows.append(f"R{k},{50 + k},40,90,56,56,50,70,{'TRAIN' if k < 4 else 'VAL'}")
        traces += [f"R{k}.avi,20,{y},36,{y},{frame}" for frame in (20, 5) for y in range(10, 31)]
    (root / "data" / "FileList.csv").write_text("\n".join(rows) + "\n")
    (root / "data" / "VolumeTracings.csv").write_text("\n".join(traces) + "\n")
    with StoreWriter(root / "cache") as writer:
        for k in range(3):
            writer.add(EchoClip(f"S{k}", rng.integers(0, 256, (16, 56, 56), dtype=np.uint8), 12.5, ef=60.0))
    return root / "data", root / "cache"


@pytest.fixture
def own_modules(monkeypatch):
    """The examples' folder is searched first, as when one of them is run; and what they import of it is forgotten."""
    monkeypatch.syspath_prepend(EXAMPLES)
    yield
    for name in NEEDS:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", NEEDS)
def test_example(name, folders, own_modules, monkeypatch, capfd):
    """Run as a script, in this process, which has PyTorch already."""
    if importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed; its example says how to install it")
    options = ["--epochs", "2", "--batch-size", "2", "--workers", "0", "--tiny"]
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, folders), *options])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    said = capfd.readouterr().out
    if name == "stateful_resume":
        assert re.findall(r"epoch (\d): (\d) items before the stop, (\d) after", said) == [
            ("0", "2", "2"),
            ("1", "2", "2"),
        ]
        return
    served = re.findall(r"epoch (\d+): .*served \{'epoch': (\d+), 'real': (\d), 'cached': (\d)", said)
    assert served == [("0", "0", "2", "2"), ("1", "1", "2", "2")]


def test_a_training_goes_on_with_the_items_that_are_left(folders, own_modules):
    pytest.importorskip("torchdata")
    import stateful_resume

    options = [*map(str, folders), "--epochs", "1", "--batch-size", "1", "--workers", "0"]
    resumed = stateful_resume.main(options)
    train, loader = stateful_resume.make_loader(stateful_resume.read_options(options, None))
    train.set_epoch(0)
    assert resumed == [ef for _, one in loader for ef in one.tolist()]


def test_an_absent_package_is_named_with_the_way_to_install_it():
    absent = (
        f"import sys; sys.modules['echonet'] = None; sys.path.insert(0, {str(EXAMPLES)!r}); import echonet_run_epoch"
    )
    done = subprocess.run([sys.executable, "-c", absent], capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 1 and "git clone https://github.com/echonet/dynamic" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_example_is_tested():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(NEEDS)
