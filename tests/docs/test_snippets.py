"""The Python blocks of README and pages run as they stand, in a folder with a small data set."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes.pages import PAGES, ROOT, blocks, name_of, titled, write_folder
from fakes.report import level, whole

from echo_augment import CachedClips, EchoNetDynamic
from echo_augment.training_recipes.arms import TrainingSet

ELSEWHERE = {  # pages whose blocks need folders of their own, and the tests that run them
    "docs/how-to/gallery.md": "test_how_to_clips.py",
    "docs/how-to/peer-clips.md": "test_how_to_clips.py",
    "docs/how-to/tables.md": "test_how_to_clips.py",
    "docs/how-to/samplers-and-splits.md": "test_how_to_clips.py",
    "docs/how-to/published-weights.md": "test_how_to_published.py",
    "docs/how-to/arm-of-my-own.md": "here, below",
    "docs/how-to/live-clips.md": "here, slow",
    "docs/get-started/your-data.md": "here, below",
    "docs/get-started/ten-minutes.md": "here, below",
    "docs/concepts/leakage-rules.md": "here, below",
    "docs/reference/report-json.md": "here, below",
}
WITH_PYTHON = [page for page in PAGES if blocks(page, "python") and name_of(page) not in ELSEWHERE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("pages"))


@pytest.fixture(autouse=True)
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


def run(page, **names):
    """Run the blocks of a page in one module, as a reader types them, and return its names."""
    known = {"__name__": "__main__", **names}
    for block in blocks(page, "python"):
        exec(compile(block, name_of(page), "exec"), known)
    return known


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_python_runs(page, capsys):
    names = run(page)
    if "train" in names:
        real = names["train"].base[0]
        assert type(names["train"][0]) is type(real)


def test_every_block_runs_somewhere():
    assert all(blocks(ROOT / page, "python") for page in ELSEWHERE)
    assert all((Path(__file__).parent / test).is_file() for test in ELSEWHERE.values() if not test.startswith("here"))
    assert {name_of(page) for page in WITH_PYTHON} >= {"README.md", "docs/how-to/wrap-my-dataset.md"}


def test_included_code_is_there():
    """``--8<-- "examples/name.py:part"`` shows a part of an example, which a test of the examples runs."""
    found = [one for page in PAGES for one in re.findall(r'^--8<-- "([^"]+)"', page.read_text("utf-8"), re.MULTILINE)]
    assert len(found) >= 6
    for one in found:
        file, _, section = one.partition(":")
        text = (ROOT / file).read_text("utf-8")
        assert text.count(f"[start:{section}]") == text.count(f"[end:{section}]") == 1, one


def test_ten_minutes(folder, capsys):
    page = ROOT / "docs" / "get-started" / "ten-minutes.md"
    text = blocks(page, "python")[0].replace("data/phantoms", "data/EchoNet-Dynamic").replace("/phantoms", "/dynamic")
    exec(text, {})
    assert "torch.Size([4, 3, 32, 112, 112]) {'epoch': 0," in capsys.readouterr().out


def test_your_data(folder, capsys):
    from echo_augment.augmentor.data.packing import pack  # what `cache action=pack` calls

    pack("data/EchoNet-Dynamic", "cache/real")
    run(ROOT / "docs" / "get-started" / "your-data.md")
    assert "6 (3, 16, 112, 112)" in capsys.readouterr().out


def test_leakage_rules(folder, capsys):
    run(ROOT / "docs" / "concepts" / "leakage-rules.md")
    assert "SyntheticAugment got the TEST split" in capsys.readouterr().out


def test_report_json(folder, capsys):
    report = whole([level(16, 1.0)], verdict="Clips helped.")
    (folder / "runs" / "demo").mkdir(parents=True)
    (folder / "runs" / "demo" / "report.json").write_text(json.dumps(report.to_json()))
    run(ROOT / "docs" / "reference" / "report-json.md")
    assert capsys.readouterr().out.strip() == f"Clips helped. {report.arms['synthetic']['mae'].mean}"


def test_an_arm_of_ones_own(folder, monkeypatch):
    page = ROOT / "docs" / "how-to" / "arm-of-my-own.md"
    assert set(titled(page)) == {"mine.py", "my-conf/arm/mine.yaml"}
    (folder / "mine.py").write_text(titled(page)["mine.py"])
    monkeypatch.syspath_prepend(folder)
    try:
        import mine

        real = EchoNetDynamic("data/EchoNet-Dynamic", split="train", length=8)
        given = TrainingSet(real=real, labelled=("R0", "R1"), caches={"synthetic": folder / "cache/dynamic"}, seed=0)
        arm = mine.few_clips(given, p=0.5)
    finally:
        sys.modules.pop("mine", None)
    assert len(arm) == len(real) and isinstance(arm.source, CachedClips)
    served = []
    for epoch in (0, 2):
        arm.set_epoch(epoch)
        served.append([arm[place] for place in range(len(arm))] and arm.stats()["cached"])
    assert served == [3, 0] and np.isfinite(arm[0][0]).all()


@pytest.mark.slow
def test_live_clips(folder, capfd):
    """As a script of its own, for the generator's process starts it anew."""
    import subprocess

    (block,) = blocks(ROOT / "docs" / "how-to" / "live-clips.md", "python")
    (folder / "live.py").write_text(block)
    done = subprocess.run([sys.executable, "live.py"], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "'epoch': 0" in done.stdout and done.stdout.split()[-1] in ("starting", "running")
