"""The label gate of a benchmark: whom it asks, and that a cache keeps to it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.benchmark import configure, load

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark import ef_task
from echo_augment.evaluation.benchmark.caches import Caches
from echo_augment.evaluation.benchmark.job import run_benchmark
from echo_augment.evaluation.benchmark.level import open_design, run_level


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    """A benchmark with a label gate that lets everything pass, and what its calibration was asked."""
    root = write_phantoms(
        tmp_path_factory.mktemp("phantoms"), 14, num_frames=36, workers=1, splits=(0.5, 0.1, 0.4), format=2
    )
    out, asked = tmp_path_factory.mktemp("gated"), []

    def tolerant(read, rows, shape, *, quantile):
        asked.append(([row.split for row in rows], quantile, shape))
        return {"tolerance": 1000.0}

    chosen = [f"out={out}", f"data.root={root}", "labels=[3]", "seeds=[0]", "trainer.steps=2"]
    settings = configure(*chosen, "arm=[real,synthetic]", "label_gate=0.9")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ef_task, "set_tolerance", tolerant)
        return settings, out, asked, run_benchmark(settings, "benchmark", load)


def cache_of(out: Path) -> Path:
    return out / "caches" / "synthetic-labels-3-seed0"


def test_every_clip_is_judged_by_a_tolerance_set_on_val(gated):
    _, out, asked, report = gated
    assert report.clips[0].sealed == 4
    [(splits, quantile, shape)] = asked
    assert (splits, quantile) == (["VAL"], 0.9)
    assert (shape.num_frames, shape.fps, shape.image_size) == (8, 12.5, 112)
    judged = [json.loads(line) for line in (cache_of(out) / "readings-0-of-1.jsonl").read_text().splitlines()]
    assert len(judged) == 4 and all({"read_ef", "label_ef"} <= set(one) for one in judged)


def test_the_cache_says_who_judged_it_and_whose_labels_that_net_knows(gated):
    _, out, _, _ = gated
    teacher = json.loads((out / "runs" / "labels-3" / "real-seed0" / "result.json").read_text())
    gates = json.loads((cache_of(out) / "gates.json").read_text())["gates"]
    assert gates["label"]["teacher"] == teacher["key"] and gates["knows"] == sorted(teacher["labelled"])


def test_a_cache_is_not_gone_on_with_under_other_gates(gated):
    settings, _, _, _ = gated
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        run_benchmark(replace(settings, label_gate=None), "benchmark", load)


def test_clips_of_nothing_learned_pass_the_same_gate_where_no_others_are_made(gated, long_root, tmp_path, monkeypatch):
    settings, _, _, _ = gated
    monkeypatch.setattr(ef_task, "set_tolerance", lambda *_, **__: {"tolerance": 1000.0})
    spec = settings.arm["synthetic"] | {"clips": "warp"}
    data = replace(settings.data, root=str(long_root))
    task, design = open_design(replace(settings, out=str(tmp_path), data=data, arm={"warp": spec}, clips=2), (0, 1))
    caches, _ = run_level(task, design, Caches(design, task, tmp_path / "caches", None), 0, ())
    gates = json.loads((Path(caches[0, 0]["warp"]) / "gates.json").read_text())["gates"]
    assert gates["label"]["by"] == "teacher"
