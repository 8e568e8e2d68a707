"""A fill from a generator's donors: what is planned, what passes, and what the reports of one or more processes say."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fakes.fill import settings
from fakes.speckle import FakeGenerator

from echo_augment.cache import ClipStore, EchoClip, FillSummary
from echo_augment.training_recipes.common.ranks import Ranks
from echo_augment.training_recipes.filling.fill import (
    FillReport,
    fill_from,
    label_words,
    report_fill,
    whole_plan,
)
from echo_augment.training_recipes.filling.labels import LabelFigures


def test_settings_reach_the_fill(tmp_path):
    generator = FakeGenerator()
    summary = fill_from(
        generator, tmp_path, n=20, seed=3, balance="uniform", shard_clips=5, compression="gzip", progress=False
    )
    assert summary.sealed == 20 and len(ClipStore(tmp_path).shards) == 4
    plan = (tmp_path / "plan.jsonl").read_text()
    assert '"balance": "uniform"' in plan and '"seed": 3' in plan and '"sampler": "ddim-2"' in plan


def test_black_and_still_clips_do_not_pass(tmp_path):
    class Broken(FakeGenerator):
        def clip(self, line):
            frames = np.zeros((4, 32, 32), np.uint8)
            if line.seed % 2:
                frames[:] = np.random.default_rng(0).integers(0, 99, (32, 32))
            return EchoClip(line.clip_id, frames, 12.5)

    generator = Broken()
    generator.fingerprint = ""
    summary = fill_from(generator, tmp_path, n=8, progress=False)
    assert summary.sealed == 0 and summary.rejected == {"image": 10}


def test_a_fill_is_its_seed_and_goes_on_where_it_stopped(tmp_path):
    def fill(name, **changes):
        generator = FakeGenerator()
        fill_from(generator, tmp_path / name, n=8, progress=False, **changes)
        return generator, list(ClipStore(tmp_path / name).ids)

    (first, ids), (_, same), (_, other) = fill("a"), fill("b"), fill("c", seed=1)
    assert ids == same != other and len(first.made) >= 8
    again, _ = fill("a")
    assert again.made == [], "it is done"


def filled(folder, rank=0, world=1, n=6) -> FillSummary:
    options = {"n": n, "rank": rank, "world": world, "progress": False, "say": lambda text: None}
    return fill_from(FakeGenerator(), folder, **options)


def report_of(summary, **changes) -> FillReport:
    return FillReport.of(summary, FakeGenerator(), 3, Ranks(**changes))


def test_a_report_says_who_filled_from_whom(tmp_path):
    found = report_of(filled(tmp_path)).to_json()
    assert (found["fingerprint"], found["sampler"], found["seeds"]) == ("fake", "ddim-2", [3])
    assert found["donors"] == {"motion": 10, "appearance": 12}
    assert found["skipped"] == [{"name": "H99", "reason": "truncated"}]
    assert found["fill"]["sealed"] == 6 and (found["rank"], found["world"]) == (0, 1)
    assert "ef" not in found and "label" not in found and "gates" not in found, "what is not known is left out"


def test_a_report_of_the_cache_tells_its_clips_apart_from_its_share(tmp_path):
    whole = report_of(filled(tmp_path)).of_cache(tmp_path)
    efs = ClipStore(tmp_path).ef
    spread = {"mean": efs.mean(), "sd": efs.std(), "min": efs.min(), "max": efs.max()}
    assert whole.ef == pytest.approx(spread) and whole.label.policies == ["donor"]
    assert whole.to_json()["label"]["label"] == pytest.approx(efs.mean())
    (tmp_path / "empty" / "shards").mkdir(parents=True)
    assert report_of(filled(tmp_path)).of_cache(tmp_path / "empty").ef is None


def test_labels_are_in_the_last_line_only_if_they_are_not_the_donors_own(tmp_path):
    report = report_of(filled(tmp_path)).of_cache(tmp_path)
    assert label_words(report) == "" == label_words(report_of(filled(tmp_path)))
    asked = LabelFigures(policies=["teacher(5)"], label=50.0, confidence=0.5, read=6, difference=2.0)
    assert label_words(replace(report, label=asked)).startswith("; labels by teacher(5): mean EF 50.0")


def test_one_process_reports_the_whole_cache_and_its_gates(tmp_path):
    summary = filled(tmp_path)
    line = report_fill(settings(f"out={tmp_path}"), summary, report_of(summary), Ranks(), lambda: {"image": {"n": 6}})
    assert line == f"{summary}; 1 donors skipped; report: {tmp_path / 'report.json'}"
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["job"] == "fill-cache" and report["gates"] == {"image": {"n": 6}} and report["ef"]["mean"] > 0
    assert report["config"]["out"] == str(tmp_path)


def test_each_of_two_processes_reports_its_share_and_the_first_what_all_have_made(tmp_path):
    given = settings(f"out={tmp_path}")
    first = filled(tmp_path, 0, 2)
    ranks = {"world": 2}
    line = report_fill(given, first, report_of(first, **ranks), Ranks(0, 2), lambda: {"image": {}})
    assert line.startswith("rank 0 of 2: 3 of 3 clips") and "all ranks so far: 3 of 6" in line
    assert json.loads((tmp_path / "report.json").read_text())["fill"]["complete"] is False
    second = filled(tmp_path, 1, 2)

    def asked_too_often():
        raise AssertionError("the gates of all are the first one's to ask")

    line = report_fill(given, second, report_of(second, rank=1, **ranks), Ranks(1, 2), asked_too_often)
    assert line.startswith("rank 1 of 2: 3 of 3 clips") and line.endswith(str(tmp_path / "rank-1-of-2" / "report.json"))
    share = json.loads((tmp_path / "rank-1-of-2" / "report.json").read_text())
    assert (share["rank"], share["world"], share["fill"]["sealed"]) == (1, 2, 3)
    done = whole_plan(tmp_path, 2)
    assert (done["wanted"], done["sealed"], done["complete"]) == (6, 6, True)
