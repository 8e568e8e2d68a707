"""The speed tables: interleaving, verdicts, readers that really do the same, and the whole job on a few hearts."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from echo_augment.augmentor import InMemoryClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import EchoAugmentError, EchoClip
from echo_augment.evaluation.speed import timing
from echo_augment.evaluation.speed.job import TABLES, choose_tables, run
from echo_augment.evaluation.speed.loader import InMemory
from echo_augment.evaluation.speed.material import prepare
from echo_augment.evaluation.speed.peer import EchoAsPublished, decode_as_published
from echo_augment.evaluation.speed.rows import (
    MISSING,
    PASS,
    SHORT,
    Row,
    Table,
    markdown,
    missing,
    number,
    summary,
    terminal,
)
from echo_augment.evaluation.speed.store import store_table
from echo_augment.evaluation.speed.timing import Spread, interleave, ratio


class Clock:
    """A clock that only moves when somebody works."""

    def __init__(self):
        self.now, self.log = 0.0, []

    def perf_counter(self):
        return self.now

    process_time = perf_counter

    def work(self, name, seconds):
        def go(turn):
            self.now += seconds[turn % len(seconds)] if isinstance(seconds, list) else seconds
            self.log.append((name, turn))

        return go


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


@pytest.fixture(scope="module")
def hearts(tmp_path_factory):
    root = tmp_path_factory.mktemp("hearts")
    return write_phantoms(root, 2, seed=77, num_frames=70, workers=1, splits=(1.0, 0.0, 0.0))


def test_contenders_take_turns_in_every_round(clock):
    times = interleave({"a": clock.work("a", 1), "b": clock.work("b", 2), "c": clock.work("c", 3)}, 3, what="x")
    names = [name for name, _ in clock.log]
    assert [set(names[k : k + 3]) for k in range(0, 12, 3)] == [{"a", "b", "c"}] * 4
    assert {names[k] for k in range(3, 12, 3)} == {"a", "b", "c"}, "somebody is always first"
    assert {name: seconds.tolist() for name, seconds in times.items()} == {"a": [1] * 3, "b": [2] * 3, "c": [3] * 3}
    assert sorted({turn for name, turn in clock.log if name == "a"}) == sorted({t for n, t in clock.log if n == "b"})


def test_quick_contenders_go_as_long_as_the_slowest(clock):
    times = interleave({"slow": clock.work("slow", 30), "quick": clock.work("quick", 2)}, 2, what="x", most=99)
    assert [name for name, _ in clock.log].count("quick") == 1 + 2 * 15
    assert times["quick"].tolist() == [2, 2] and times["slow"].tolist() == [30, 30]
    clock.log.clear()
    interleave({"slow": clock.work("slow", 30), "quick": clock.work("quick", 2)}, 1, what="x", most=4)
    assert [name for name, _ in clock.log].count("quick") == 1 + 4


def test_a_slow_moment_of_the_machine_does_not_move_the_ratio(clock):
    busy = [1, 1, 9, 1, 1, 1]
    times = interleave({"a": clock.work("a", busy), "b": clock.work("b", [5 * value for value in busy])}, 5, what="x")
    assert ratio(times["b"], times["a"]) == Spread(5, 5, 5)


def test_verdicts():
    found = Spread(1.7, 1.5, 2.0)
    assert Row(what="a", found=found, target=1.6).verdict == PASS
    assert Row(what="a", found=found, target=1.6, at_least=False).verdict == SHORT
    assert Row(what="a", found=found).verdict == ""
    assert missing("a", "why", target=3).verdict == MISSING
    assert Row(what="a", found=found, target=40).cells() == ("a", "1.70x", "1.50 to 2.00", "at least 40.0x", SHORT, "")
    assert missing("a", "no GPU here", target=40).as_dict()["median"] is None
    assert [number(value) for value in (1234.4, 40, 1.557, 0.0123)] == ["1234", "40.0", "1.56", "0.0123"]


def test_tables_as_text():
    rows = [Row(what="a | b", found=Spread(50, 40, 60), target=40, detail="1 ms against 50 ms"), missing("c", "no GPU")]
    table = Table(name="store", title="reading", how="By hand.", rows=rows)
    facts = {"cores": 2, "processor": "x", "load": 0.1, "devices": [], "torch_threads": 2, "torch": "2", "python": "3"}
    text = markdown([table], facts, "2 phantoms")
    assert "a \\| b | 50.0x | 40.0 to 60.0 | at least 40.0x | pass | 1 ms against 50 ms |" in text
    assert "no GPU" in text and "2 phantoms" in text and "2 cores" in text
    lines = terminal(table).splitlines()
    assert lines[0] == "store: reading" and any("pass" in line and "50.0x" in line for line in lines)
    assert summary(rows) == "1 of 1 targets met, 1 figures not measured"


@pytest.mark.parametrize("form", [{"length": 32, "period": 2, "pad": 12}, {"length": 50, "period": 2}, {"period": 3}])
def test_the_peer_makes_the_very_samples(hearts, form):
    settings = {"mean": 32.7, "std": np.array([49.9, 50.0, 50.1], np.float32), **form}
    ours = EchoNetDynamic(hearts, "train", "EF", **settings)
    theirs = EchoAsPublished(hearts, "train", "EF", **settings)
    for index in range(len(ours)):
        (clip, ef), (other, other_ef) = ours[index], theirs[index]
        assert clip.dtype == other.dtype and np.array_equal(clip, other) and ef == other_ef


def test_the_peer_names_a_video_that_breaks_off(hearts, tmp_path):
    path = tmp_path / "broken.avi"
    content = next((hearts / "Videos").glob("*.avi")).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(EchoAugmentError, match=r"broken\.avi"):
        decode_as_published(path)


def test_all_forms_of_a_heart_hold_the_same_frames(hearts, tmp_path):
    material = prepare(hearts, tmp_path, tmp_path, hearts=2, seed=0)
    assert len(material.names) == 2 and material.frames == (70, 70) and not material.phantoms
    table = store_table(material, rounds=1)
    assert table.rows[0].found is not None and table.rows[0].target == 40
    stack = np.load(material.stack)
    np.save(material.stack, 255 - stack)
    with pytest.raises(EchoAugmentError, match="differ by"):
        store_table(material, rounds=1)


def test_short_videos_are_no_material(tmp_path):
    root = write_phantoms(tmp_path / "short", 1, num_frames=10, workers=1, splits=(1.0, 0.0, 0.0))
    with pytest.raises(EchoAugmentError, match="no TRAIN video has 64 frames"):
        prepare(root, tmp_path, tmp_path / "work", hearts=2, seed=0)


def test_items_in_memory_look_like_the_data_set(hearts):
    base = EchoNetDynamic(hearts, "train", "EF", length=8, pad=4)
    kept = InMemory(base, 2)
    assert kept[1] is kept[1] and len(kept) == 2
    clip = EchoClip("c", np.full((20, 112, 112), 9, np.uint8), 50.0, ef=50)
    mixed = SyntheticAugment(kept, InMemoryClips([clip]), p=1.0)
    assert mixed[0][0].shape == base[0][0].shape
    assert SyntheticAugment(kept, InMemoryClips([clip]), p=0)[1] is kept[1]


@pytest.mark.parametrize(
    "wanted, names",
    [
        ("all", list(TABLES)),
        ("fill", ["fill"]),
        ("loader,store", ["store", "loader"]),
        (OmegaConf.create(["live"]), ["live"]),
    ],
)
def test_tables_are_chosen(wanted, names):
    assert choose_tables(wanted) == names


@pytest.mark.parametrize("wanted", ["stores", ["store", "all"], []])
def test_unknown_tables_are_an_error(wanted):
    with pytest.raises(EchoAugmentError, match="there is no speed table"):
        choose_tables(wanted)


def config(out: Path, root: Path, *settings: str):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return compose("speed", [f"out={out}", f"data.root={root}", "quick=true", "hearts=2", *settings])


def test_the_job_measures_and_reports(hearts, tmp_path, capsys):
    run(config(tmp_path / "out", hearts, "tables=[store,loader]", "loader.workers=0"))
    lines = capsys.readouterr().out.strip().splitlines()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "targets met" in lines[-1] and lines[-1].endswith("speed.md") and "too few repetitions" in lines[-1]
    assert report["job"] == "speed" and list(report["tables"]) == ["store", "loader"]
    rows = [row for table in report["tables"].values() for row in table["rows"]]
    measured = [row for row in rows if row["median"] is not None]
    assert len(measured) >= 9 and all(row["quartiles"][0] <= row["median"] <= row["quartiles"][1] for row in measured)
    assert all(row["verdict"] in (PASS, SHORT, MISSING) for row in rows if row["target"] is not None)
    assert report["machine"]["cores"] >= 1 and "host" not in json.dumps(report["machine"])
    assert "| figure | median |" in (tmp_path / "out" / "speed.md").read_text()
    assert [path.name for path in (tmp_path / "out").glob(".speed-*")] == [], "the work folder is left behind"


def test_the_generator_s_table_has_a_row_for_each_variant_one_that_fails_too(hearts, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no C++\ncompiler")

    monkeypatch.setattr(torch, "compile", fail)
    run(config(tmp_path, hearts, "tables=[generator]", "variants=[compile,channels_last]", "device=cpu"))
    rows = json.loads((tmp_path / "report.json").read_text())["tables"]["generator"]["rows"]
    failed, row = (row for row in rows if "times faster than without" in row["what"])
    assert failed["verdict"] == MISSING and failed["detail"] == "RuntimeError: no C++ compiler"
    assert row["what"].startswith("1 DDIM steps with the channels last") and row["median"] > 0
    assert "gray levels" in row["detail"]


@pytest.mark.slow
def test_every_table_on_phantoms(tmp_path):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        run(compose("speed", [f"out={tmp_path}", "quick=true", "hearts=4"]))
    report = json.loads((tmp_path / "report.json").read_text())
    assert list(report["tables"]) == list(TABLES)
    assert not [row for row in report["tables"]["generator"]["rows"][:6] if row["median"] is None]
