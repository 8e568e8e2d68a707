"""``benchmark task=segmentation`` from end to end, small, with a stand-in for the generator; and its figures."""

import json
import shutil

import numpy as np
import pytest
from fakes.benchmark import load
from fakes.report import hearts, masks_report
from hydra import compose, initialize_config_module
from omegaconf import DictConfig

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.phantom import load_phantoms
from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.evaluation.benchmark.job import run as run_job
from echo_augment.evaluation.benchmark.job import run_benchmark
from echo_augment.evaluation.report.segmentation_report import verdict, write_report_pages
from echo_augment.evaluation.statistics.segmentation_summary import ef_from_masks, summarise_hearts
from echo_augment.training_recipes.arms.oracle import OracleGenerator
from echo_augment.training_recipes.filling.labels import masked
from echo_augment.training_recipes.segmentation.run import SegmentationResult
from echo_augment.training_recipes.training.subsets import choose_labelled

SMALL = ["task=segmentation", "trainer.steps=4", "trainer.validate_every=2", "trainer.batch_size=2", "device=cpu"]
SMALL += ["trainer.stats_clips=2", "model.settings.widths=[4,4]", "clips=4", "workers=1", "seeds=[0,1]"]
SMALL += ["resamples=199", "val_at_least=1", "labels=[3]", "masks_at_least=0"]


def configure(*overrides: str) -> DictConfig:
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return compose("benchmark", [*SMALL, *overrides])


@pytest.fixture(scope="module")
def done(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("benchmark")
    cfg = configure(f"out={out}", f"data.root={root}", "arm=[real,synthetic,oracle]")
    return cfg, out, run_benchmark(cfg, "benchmark", load)


def test_the_report_has_dice_for_every_arm_and_contrast(done, root):
    _, out, report = done
    assert json.loads((out / "report.json").read_text()) == report
    assert (report["task"], list(report["arms"])) == ("segmentation", ["real", "synthetic", "oracle"])
    for arm in report["arms"].values():
        assert {"dice", "dice_ed", "dice_es", "hd95", "hd95_mm", "pooled"} <= set(arm)
        assert len(arm["dice"]["per_seed"]) == 2
        assert 0 <= arm["dice"]["mean"] <= 1
        assert arm["dice"]["ci"][0] <= arm["dice"]["mean"] <= arm["dice"]["ci"][1]
        assert 0 <= arm["pooled"]["dice"]["mean"] <= 1
    assert set(report["contrasts"]) == {"synthetic-real", "oracle-real", "synthetic-oracle"}
    assert report["hearts"]["test"] == len(read_table(root).split("test"))
    results = [
        SegmentationResult.from_json(json.loads(path.read_text())) for path in out.glob("runs/*/real-seed*/result.json")
    ]
    means = [np.mean([heart["dice"] for heart in result.predictions.values()]) for result in results]
    assert report["arms"]["real"]["dice"]["mean"] == pytest.approx(np.mean(means))
    page = (out / "report.html").read_text()
    assert report["verdict"].split(":")[0] in page
    assert "LV segmentation with 3 labelled hearts" in page
    assert ("Predicted against true EF, from masks" in page) == ("ef_mae" in report["arms"]["real"])
    pictures = 7 if "ef_mae" in report["arms"]["real"] else 5
    assert page.count("data:image/png;base64,") == pictures, "arms, scatter, agreement, three overlays, masked clips"


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
    cfg, out, report = done
    again = tmp_path / "again"
    shutil.copytree(out, again)
    cfg = cfg.copy()
    cfg.out = str(again)
    before = {path: path.stat().st_mtime_ns for path in again.glob("runs/*/*/result.json")}
    second = run_benchmark(cfg, "benchmark", load)
    assert {path: path.stat().st_mtime_ns for path in again.glob("runs/*/*/result.json")} == before
    assert second["arms"] == report["arms"]


def test_a_cache_says_whose_tracings_drew_and_judged_its_masks(done):
    _, out, _ = done
    for seed in (0, 1):
        run = json.loads((out / "runs" / "labels-3" / f"real-seed{seed}" / "result.json").read_text())
        for kind, known in (("synthetic", sorted(run["labelled"])), ("oracle", [])):
            gates = json.loads((out / "caches" / f"masked-{kind}-labels-3-seed{seed}" / "gates.json").read_text())
            assert gates["gates"]["knows"] == known and gates["gates"]["masks"] == 0.0


def test_caches_of_other_mask_gates_are_not_gone_on_with(done, tmp_path):
    cfg, out, _ = done
    again = tmp_path / "again"
    shutil.copytree(out, again)
    cfg = cfg.copy()
    cfg.out, cfg.masks_at_least = str(again), 0.5
    with pytest.raises(EchoAugmentError, match=r"is being filled with the gates .*'masks': 0.0.*'masks': 0.5"):
        run_benchmark(cfg, "benchmark", load)


def test_arms_that_learn_from_read_ef_are_refused(root, tmp_path):
    for arm in ("pseudo_label", "mean_teacher"):
        with pytest.raises(EchoAugmentError, match=f"{arm} learns EF"):
            run_benchmark(configure(f"out={tmp_path}", f"data.root={root}", f"arm=[real,{arm}]"), "benchmark", load)


def test_an_unknown_task_and_an_ablation_of_masks_are_refused(root, tmp_path):
    cfg = configure(f"out={tmp_path}", f"data.root={root}")
    cfg.task = "strain"
    with pytest.raises(EchoAugmentError, match="'strain'"):
        run_benchmark(cfg, "benchmark", load)
    cfg.task, cfg.ablation = "segmentation", {"key": "clips", "values": [2, 4]}
    with pytest.raises(EchoAugmentError, match="an ablation needs task=ef"):
        run_job(cfg)


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


@pytest.mark.parametrize(("shift", "words"), [(0.03, "helped"), (-0.03, "harmed"), (0.0, "no difference")])
def test_more_dice_is_better(shift, words):
    found = summarise_hearts({"real": hearts(0), "synthetic": hearts(shift)}, level=0.95, resamples=499)
    difference = found["contrasts"]["synthetic-real"]
    assert difference["dice"]["diff"] == pytest.approx(shift, abs=1e-9)
    assert found["arms"]["synthetic"]["pooled"]["dice"]["mean"] == pytest.approx(0.9)
    assert found["arms"]["synthetic"]["ef_mae"]["mean"] == pytest.approx(abs(100 * shift), abs=1e-6)
    assert words in verdict(found)


def test_the_page_shows_the_ef_of_masks_where_it_is_known(tmp_path):
    arms = {"real": hearts(0), "classical": hearts(0.001), "synthetic": hearts(0.02), "oracle": hearts(0.04)}
    report = masks_report(0.02)
    report["verdict"] = verdict(report)
    write_report_pages(tmp_path, report, {}, {}, arms)
    page = (tmp_path / "report.html").read_text()
    assert "Predicted against true EF, from masks" in page and page.count("data:image/png;base64,") == 3
    unknown = {
        arm: {seed: {name: {**heart, "ef_masks": None} for name, heart in run.items()} for seed, run in runs.items()}
        for arm, runs in arms.items()
    }
    assert ef_from_masks(unknown) is None and len(ef_from_masks(arms)["real"][0]) == 39, "of one heart it is not"
    write_report_pages(tmp_path, report, {}, {}, unknown)
    assert (tmp_path / "report.html").read_text().count("data:image/png;base64,") == 1, "the arms"


def test_recovered_gain_is_of_the_oracle_s():
    arms = {"real": hearts(0), "synthetic": hearts(0.01), "oracle": hearts(0.04)}
    found = summarise_hearts(arms, level=0.95, resamples=99)
    assert found["recovered_gain"] == pytest.approx(0.25)
    assert "25 %" in verdict(found)
    arms["oracle"] = hearts(-0.01)
    assert summarise_hearts(arms, level=0.95, resamples=99)["recovered_gain"] is None
