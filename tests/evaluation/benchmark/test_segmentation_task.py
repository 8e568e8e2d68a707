"""``benchmark task=segmentation`` from end to end, small, with a stand-in for the generator."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from fakes.benchmark import load
from hydra import compose, initialize_config_module

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.phantom import load_phantoms
from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.evaluation.benchmark.caches import Caches
from echo_augment.evaluation.benchmark.job import run_benchmark
from echo_augment.evaluation.benchmark.level import open_design, run_level
from echo_augment.evaluation.benchmark.settings import BenchmarkSettings
from echo_augment.evaluation.report.content import BenchmarkReport
from echo_augment.training_recipes.arms.oracle import OracleGenerator
from echo_augment.training_recipes.common.settings import settings_from
from echo_augment.training_recipes.filling.labels import masked
from echo_augment.training_recipes.segmentation.run import SegmentationResult
from echo_augment.training_recipes.training.subsets import choose_labelled

SMALL = ["task=segmentation", "trainer.steps=4", "trainer.validate_every=2", "trainer.batch_size=2", "device=cpu"]
SMALL += ["trainer.stats_clips=2", "model.settings.widths=[4,4]", "clips=4", "workers=1", "seeds=[0,1]"]
SMALL += ["resamples=199", "val_at_least=1", "labels=[3]", "masks_at_least=0"]


def configure(*overrides: str) -> BenchmarkSettings:
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return settings_from(compose("benchmark", [*SMALL, *overrides]), BenchmarkSettings)


@pytest.fixture(scope="module")
def done(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("benchmark")
    settings = configure(f"out={out}", f"data.root={root}", "arm=[real,synthetic,oracle]")
    return settings, out, run_benchmark(settings, "benchmark", load)


def test_the_report_has_dice_for_every_arm_and_contrast(done, root):
    _, out, report = done
    assert BenchmarkReport.from_json(json.loads((out / "report.json").read_text())).to_json() == report.to_json()
    assert (report.task, list(report.arms)) == ("segmentation", ["real", "synthetic", "oracle"])
    for arm in report.arms.values():
        assert {"dice", "dice_ed", "dice_es", "hd95", "hd95_mm"} <= set(arm.figures)
        assert len(arm["dice"].per_seed) == 2
        assert 0 <= arm["dice"].mean <= 1
        assert arm["dice"].ci[0] <= arm["dice"].mean <= arm["dice"].ci[1]
        assert 0 <= arm.pooled["dice"].mean <= 1
    assert set(report.contrasts) == {"synthetic-real", "oracle-real", "synthetic-oracle"}
    assert report.videos.test == len(read_table(root).split("test"))


def test_dice_is_the_mean_over_videos_and_seeds(done):
    _, out, report = done
    results = [
        SegmentationResult.from_json(json.loads(path.read_text())) for path in out.glob("runs/*/real-seed*/result.json")
    ]
    means = [np.mean([video["dice"] for video in result.predictions.values()]) for result in results]
    assert report.arms["real"]["dice"].mean == pytest.approx(np.mean(means))


def test_the_page_has_the_verdict_and_the_pictures(done):
    _, out, report = done
    page = (out / "report.html").read_text()
    assert report.verdict.split(":")[0] in page
    assert "LV segmentation with 3 labelled videos" in page
    known = "ef_mae" in report.arms["real"].figures
    assert ("Predicted against true EF, from masks" in page) == known
    assert page.count("data:image/png;base64,") == (7 if known else 5), "arms, three overlays, masked clips; two of EF"


def test_synthetic_clips_carry_the_teacher_s_masks_and_the_oracle_s_the_true_ones(done, root):
    _, out, _ = done
    train = [row.name for row in read_table(root).split("train")]
    phantoms = load_phantoms(root)
    for seed in (0, 1):
        labelled = set(choose_labelled(train, 3, seed))
        clips = list(ClipStore(out / "caches" / f"masked-synthetic-labels-3-seed{seed}"))
        assert len(clips) == 4
        for clip in clips:
            assert clip.masks.shape == clip.frames.shape
            source = clip.provenance
            assert source.motion_donor in labelled
            known = source.extra["mask_dice"] is not None
            assert known == (source.appearance_donor in labelled), "no other heart's tracing may be looked at"
        for clip in ClipStore(out / "caches" / f"masked-oracle-labels-3-seed{seed}"):
            sizes = clip.masks.sum((1, 2))
            assert sizes[clip.ed_frame] > sizes[clip.es_frame] > 0
            assert clip.provenance.motion_donor in phantoms


def test_a_rerun_gives_the_same_figures_and_trains_nothing(done, tmp_path):
    settings, out, report = done
    again = tmp_path / "again"
    shutil.copytree(out, again)
    before = {path: path.stat().st_mtime_ns for path in again.glob("runs/*/*/result.json")}
    second = run_benchmark(replace(settings, out=str(again)), "benchmark", load)
    assert {path: path.stat().st_mtime_ns for path in again.glob("runs/*/*/result.json")} == before
    assert second.arms == report.arms


def test_a_cache_says_whose_tracings_drew_and_judged_its_masks(done):
    _, out, _ = done
    for seed in (0, 1):
        run = json.loads((out / "runs" / "labels-3" / f"real-seed{seed}" / "result.json").read_text())
        for kind, known in (("synthetic", sorted(run["labelled"])), ("oracle", [])):
            gates = json.loads((out / "caches" / f"masked-{kind}-labels-3-seed{seed}" / "gates.json").read_text())
            assert gates["gates"]["knows"] == known and gates["gates"]["masks"] == 0.0


def test_caches_of_other_mask_gates_are_not_gone_on_with(done, tmp_path):
    settings, out, _ = done
    again = tmp_path / "again"
    shutil.copytree(out, again)
    settings = replace(settings, out=str(again), masks_at_least=0.5)
    with pytest.raises(EchoAugmentError, match=r"is being filled with the gates .*'masks': 0.0.*'masks': 0.5"):
        run_benchmark(settings, "benchmark", load)


def test_clips_of_nothing_learned_get_masks_where_they_are_the_only_ones_made(long_root, tmp_path):
    settings = configure(f"out={tmp_path}", f"data.root={long_root}", "arm=[warp]", "seeds=[0]")
    task, design = open_design(settings, (0, 1))
    stock = Caches(design, task, tmp_path / "caches", None)
    [folders], results = (list(found.values()) for found in run_level(task, design, stock, 0, ()))
    assert len(results) == 1, "the net of real drew the masks, and is no arm here"
    clips = list(ClipStore(folders["warp"]))
    assert len(clips) == 4 and all(clip.masks.shape == clip.frames.shape for clip in clips)


REFUSED = dict.fromkeys(("pseudo_label", "mean_teacher", "mixup"), "learns EF") | {"pretrained_probe": "has a network"}
REFUSED |= {"ef_conditioned": "has clips of a generator that is told an EF"}


@pytest.mark.parametrize("arm", REFUSED)
def test_an_arm_for_ef_alone_is_refused(root, tmp_path, arm):
    with pytest.raises(EchoAugmentError, match=f"{arm} {REFUSED[arm]}"):
        run_benchmark(
            configure(f"out={tmp_path}", f"data.root={root}", f"arm=[real,{arm}]", f"generator.ef_conditioned={root}"),
            "benchmark",
            load,
        )


@pytest.mark.parametrize(
    ("override", "message"), [("label_gate=0.9", "is for task=ef"), ("masks_at_least=null", "is null")]
)
def test_a_gate_of_the_other_task_or_none_of_masks_is_refused(root, tmp_path, override, message):
    with pytest.raises(EchoAugmentError, match=message):
        run_benchmark(configure(f"out={tmp_path}", f"data.root={root}", override), "benchmark", load)


def test_a_segmenter_that_a_held_out_heart_trained_draws_no_masks(done, root, tmp_path):
    _, out, _ = done
    segmenter = out / "runs" / "labels-3" / "real-seed0"
    generator = masked(OracleGenerator.of(root), segmenter, root)
    assert len(generator.tracings) == 3
    bad = tmp_path / "bad"
    shutil.copytree(root, bad)
    table = bad / "FileList.csv"
    name = json.loads((segmenter / "segmenter.json").read_text())["labelled"][0]
    lines = [line.replace("TRAIN", "TEST") if line.startswith(name) else line for line in table.read_text().split("\n")]
    table.write_text("\n".join(lines))
    with pytest.raises(EchoAugmentError, match=f"{name}.* a TEST video trained the segmenter"):
        masked(OracleGenerator.of(bad), segmenter, bad)
