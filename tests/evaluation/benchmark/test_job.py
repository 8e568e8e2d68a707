"""The benchmark and the demo from end to end, small, with a stand-in for the generator."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from fakes.benchmark import configure, load
from fakes.mini import MINI
from hydra import compose, initialize_config_module
from PIL import Image

from echo_augment.augmentor.data import read_table
from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.evaluation.benchmark import demo
from echo_augment.evaluation.benchmark import trainings as sweep
from echo_augment.evaluation.benchmark.design import choose_arms
from echo_augment.evaluation.benchmark.job import run as run_job
from echo_augment.evaluation.benchmark.job import run_benchmark, run_share
from echo_augment.evaluation.benchmark.trainings import count_workers, steps_done
from echo_augment.training_recipes.training.subsets import choose_labelled

KEYS = {"job", "task", "data", "label_fraction", "seeds", "arms", "contrasts", "recovered_gain", "steps", "fingerprint"}
KEYS |= {"versions", "config", "skipped"}


@pytest.fixture(scope="module")
def done(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("benchmark")
    cfg = configure("benchmark", f"out={out}", f"data.root={root}", "labels=[3]", "arm=[real,synthetic,oracle]")
    return cfg, out, run_benchmark(cfg, "benchmark", load)


def test_the_report_has_every_key_and_finite_figures(done):
    _, out, report = done
    assert set(report) >= KEYS
    assert json.loads((out / "report.json").read_text()) == report
    assert list(report["arms"]) == ["real", "synthetic", "oracle"]
    assert report["seeds"] == [0, 1]
    assert report["label_fraction"] == pytest.approx(3 / 7)
    for arm in report["arms"].values():
        assert len(arm["mae"]["per_seed"]) == 2
        assert arm["mae"]["ci"][0] <= arm["mae"]["mean"] <= arm["mae"]["ci"][1]
    assert report["fingerprint"] == "stand-in"
    assert report["steps"] == 4
    assert report["verdict"]


def test_each_cache_knows_the_labels_of_its_own_subset_only(done, root):
    _, out, _ = done
    train = [row.name for row in read_table(root).split("train")]
    for seed in (0, 1):
        labelled = set(choose_labelled(train, 3, seed))
        for kind in ("synthetic", "oracle"):
            clips = list(ClipStore(out / "caches" / f"{kind}-labels-3-seed{seed}"))
            assert len(clips) == 4
            assert {clip.provenance.motion_donor for clip in clips} <= labelled
            assert {clip.provenance.appearance_donor for clip in clips} <= set(train)


def test_the_page_stands_alone_and_says_what_the_data_are(done):
    _, out, report = done
    page = (out / "report.html").read_text()
    assert not re.search(r"(src|href)=['\"](?!data:)", page)
    assert page.count("data:image/png;base64,") == 5
    assert page.count("data:image/gif;base64,") == 1
    assert "Phantom data, not EchoNet-Dynamic" in page
    assert report["verdict"].split(":")[0] in page
    assert "echo-augment benchmark" in page
    assert 'name="viewport"' in page
    with Image.open(out / "contact_sheet.png") as sheet:
        assert np.asarray(sheet).std() > 10


def test_the_markdown_has_the_same_tables_and_its_pictures_beside_it(done):
    _, out, report = done
    text = (out / "report.md").read_text()
    assert report["verdict"] in text
    assert "| synthetic against real |" in text
    pictures = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert len(pictures) == 6
    assert all((out / name).stat().st_size > 2000 for name in pictures)
    with Image.open(out / "figures" / "beating.gif") as beat:
        assert beat.n_frames == 16
    assert "```bash\necho-augment benchmark" in text


def test_the_report_says_who_is_told_apart_and_whether_the_scale_is_right(done):
    _, out, report = done
    for arm in report["arms"].values():
        assert {"slope", "intercept", "bias"} == set(arm["calibration"])
        assert sum(part["hearts"] for part in arm["by_range"]) == report["hearts"]["test"]
        assert 0 <= arm["wrong_side_50"]["mean"] <= 1
    mae = report["contrasts"]["synthetic-real"]["mae"]
    assert mae["p_holm"] == mae["p"]
    page = (out / "report.html").read_text()
    assert "AUROC, EF &lt; 50" in page
    assert "put on the wrong side of EF 50 %" in page


def test_a_rerun_trains_only_what_is_missing_and_gives_the_same_figures(done, tmp_path):
    _, out, report = done
    again = tmp_path / "again"
    shutil.copytree(out, again)
    (kept,) = again.glob("runs/*/real-seed0/result.json")
    shutil.rmtree(again / "runs" / kept.parts[-3] / "oracle-seed1")
    before = kept.stat().st_mtime_ns
    cfg, _, _ = done
    cfg = cfg.copy()
    cfg.out = str(again)
    second = run_benchmark(cfg, "benchmark", load)
    assert kept.stat().st_mtime_ns == before
    assert second["arms"] == report["arms"]
    assert second["contrasts"] == report["contrasts"]


def test_one_number_of_labels_has_its_report_before_the_next_begins(root, tmp_path, monkeypatch):
    cfg = configure("benchmark", f"out={tmp_path}", f"data.root={root}", "labels=[2,3]", "arm=[real]", "seeds=[0]")
    train = sweep.train_ef

    def dies(run, *given, **more):
        if run.labels == 3:
            raise KeyboardInterrupt
        return train(run, *given, **more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sweep, "train_ef", dies)
        run_benchmark(cfg, "benchmark", load)
    left = json.loads((tmp_path / "report.json").read_text())
    assert (left["labelled_hearts"], left["trainings"]["count"]) == (2, 1)
    assert "labels=[3] are still to come" in left["notes"][-1]
    assert "still to come" in (tmp_path / "report.md").read_text()
    report = run_benchmark(cfg, "benchmark", load)
    assert [level["labelled_hearts"] for level in report["fractions"]] == [2, 3]
    assert (report["notes"], report["trainings"]["count"]) == ([], 2)
    assert report["arms"] == left["arms"]


def test_a_folder_of_another_benchmark_is_refused(done):
    cfg, _, _ = done
    other = cfg.copy()
    other.trainer.pad = 4
    with pytest.raises(EchoAugmentError, match="other settings"):
        run_benchmark(other, "benchmark", load)


def test_a_test_heart_under_another_name_among_the_donors_is_refused(root, tmp_path):
    bad = tmp_path / "bad"
    shutil.copytree(root, bad)
    table = bad / "FileList.csv"
    rows = list(csv.reader(table.open()))
    victim = next(row for row in rows if row[-1] == "TEST")
    shutil.copy(bad / "Videos" / f"{victim[0]}.avi", bad / "Videos" / "COPY.avi")
    with table.open("a") as file:
        file.write(",".join(["COPY", *victim[1:-1], "TRAIN"]) + "\n")
    with pytest.raises(EchoAugmentError, match=f"COPY shows the same video as held-out {victim[0]}"):
        run_benchmark(configure("benchmark", f"out={tmp_path / 'o'}", f"data.root={bad}"), "benchmark", load)


@pytest.mark.parametrize(
    ("override", "message"),
    [("seeds=[1,1]", "seeds must be"), ("labels=16", "labels must be")],
)
def test_bad_settings_name_their_value(root, tmp_path, override, message):
    with pytest.raises(EchoAugmentError, match=message):
        run_benchmark(configure("benchmark", f"out={tmp_path}", f"data.root={root}", override), "benchmark", load)


def test_workers():
    assert count_workers(3, 9, 1) == 3
    assert count_workers(8, 2, 1) == 2
    assert count_workers("auto", 9, None) == 1
    assert count_workers("auto", 99, 1) >= 1
    for bad in (0, "many", True):
        with pytest.raises(EchoAugmentError, match="workers"):
            count_workers(bad, 2, 1)


def test_progress_is_read_from_the_log(tmp_path):
    assert steps_done(tmp_path) == 0
    (tmp_path / "fit.csv").write_text("step,loss\n20,3.5\n40,2.5\n")
    assert steps_done(tmp_path) == 40


def test_the_demo_composes_for_phantoms_and_for_real_hearts():
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        phantom, real = compose("demo"), compose("demo", ["data=echonet", "data.root=x"])
    assert list(phantom.arm) == ["real", "synthetic", "oracle"]
    assert (list(phantom.labels), list(phantom.seeds)) == ([16], [0, 1, 2])
    assert list(real.labels) == ["all"]
    assert real.trainer.steps < phantom.trainer.steps


@pytest.mark.skipif(not MINI.is_dir(), reason="the six real clips are not beside this checkout")
def test_the_demo_on_real_hearts_runs_to_its_report(tmp_path, capsys):
    overrides = ["data=echonet", f"data.root={MINI}", f"out={tmp_path}", "clips=3", "seeds=[0]"]
    demo.run(configure("demo", *overrides), load)
    said = capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["data"] == "echonet"
    assert list(report["arms"]) == ["real", "synthetic"]
    assert report["contrasts"]["synthetic-real"]["mae"]["ci"] is None
    assert "1 test heart" in report["contrasts"]["synthetic-real"]["mae"]["reason"]
    assert any("oracle" in note for note in report["notes"])
    assert "trained on phantoms" in said
    assert "not claimed" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "contact_sheet.png").stat().st_size > 10_000


def test_side_by_side_gives_the_figures_of_one_after_the_other(done, root, tmp_path):
    cfg, out, report = done
    cfg = cfg.copy()
    cfg.out, cfg.workers = str(tmp_path), 2
    shutil.copytree(out / "caches", tmp_path / "caches")
    for name in ("real-seed0", "real-seed1", "oracle-seed0", "synthetic-seed0"):
        shutil.copytree(out / "runs" / "labels-3" / name, tmp_path / "runs" / "labels-3" / name)
    assert run_benchmark(cfg, "benchmark", load)["arms"] == report["arms"]


def test_processes_that_share_a_benchmark_leave_nothing_to_train(done, tmp_path, capsys):
    """Also the same sweep twice, from nothing: clips and figures are those of one process."""
    cfg, out, report = done
    cfg = cfg.copy()
    cfg.out = str(tmp_path)
    assert [run_share(cfg, (rank, 3), load) for rank in (1, 0, 2)] == [3, 3, 0], "two seeds, three arms"
    assert "rank 1 of 3: its 3 trainings are done" in capsys.readouterr().out
    assert not (tmp_path / "report.json").exists()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/result.json")}
    again = run_benchmark(cfg, "benchmark", load)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/result.json")} == before
    assert len(before) == 6
    assert (again["arms"], again["contrasts"]) == (report["arms"], report["contrasts"])
    for folder in sorted((out / "caches").iterdir()):
        ours, theirs = (list(ClipStore(root / "caches" / folder.name)) for root in (tmp_path, out))
        assert all(np.array_equal(one.frames, other.frames) for one, other in zip(ours, theirs, strict=True))


def test_what_cannot_be_shared_is_refused(done, tmp_path):
    cfg, _, _ = done
    cfg = cfg.copy()
    cfg.out, cfg.generator.weights = str(tmp_path), None
    with pytest.raises(EchoAugmentError, match=r"generator\.weights=null.*Train it first"):
        run_share(cfg, (0, 2), load)
    cfg.rank, cfg.ablation = 0, {"key": "clips", "values": [2, 4]}
    with pytest.raises(EchoAugmentError, match="one process's work, got rank=0"):
        run_job(cfg)
    with pytest.raises(EchoAugmentError, match=r"'my-arm'.*no '-'"):
        choose_arms({"my-arm": {}}, tmp_path)
