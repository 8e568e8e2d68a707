"""Sweeps over a setting: shared trainings, going on after a kill, the dose-response report; the published protocol."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from fakes.benchmark import configure, load
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.evaluation.benchmark import caches as filling
from echo_augment.evaluation.benchmark import ef_task as teacher_gate
from echo_augment.evaluation.benchmark import own_generator
from echo_augment.evaluation.benchmark import trainings as sweep
from echo_augment.evaluation.benchmark.caches import load_weights
from echo_augment.evaluation.benchmark.job import run_ablation, run_benchmark
from echo_augment.evaluation.benchmark.sweep import cache_digest, doses
from echo_augment.evaluation.benchmark.trainings import run_all
from echo_augment.training_recipes.ef.run import EFRun

EXPERIMENTS = sorted(path.stem for path in (Path(__file__).parents[3] / "training_recipes/conf/experiment").glob("*"))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), 14, num_frames=36, workers=1, splits=(0.5, 0.1, 0.4))


def ablation(root: Path, out: Path):
    chosen = ["experiment=dose_p", f"out={out}", f"data.root={root}", "labels=[3]", "ablation.values=[0.25,0.5]"]
    return configure("benchmark", *chosen, "seeds=[0]", "trainer.steps=2")


class Killed(BaseException):
    """As a signal would come."""


@pytest.fixture(scope="module")
def done(root, tmp_path_factory):
    """An ablation that was killed before its second value's training, and run again."""
    out = tmp_path_factory.mktemp("ablation")
    train, trained = sweep.train_ef, []

    def dies(run, folder, **settings):
        if len(trained) == 2:
            raise Killed
        trained.append(folder)
        return train(run, folder, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "train_ef", dies)
        with pytest.raises(Killed):
            run_ablation(ablation(root, out), load)
        patch.setattr(sweep, "train_ef", lambda *given, **more: trained.append(given[1]) or train(*given, **more))
        report = run_ablation(ablation(root, out), load)
    return out, trained, report


def test_what_a_value_does_not_change_is_done_once_and_a_killed_one_goes_on(done):
    out, trained, _ = done
    names = [str(folder.relative_to(out / "doses")) for folder in trained]
    assert names == [f"0.25/runs/labels-3/{arm}-seed0" for arm in ("real", "synthetic")] + [
        "0.5/runs/labels-3/synthetic-seed0"
    ]
    assert len(list((out / "caches").iterdir())) == 1
    real = [out / "doses" / dose / "runs/labels-3/real-seed0/result.json" for dose in ("0.25", "0.5")]
    assert real[0].read_bytes() == real[1].read_bytes()


def test_the_report_has_a_row_and_a_plot_for_the_values(done):
    out, _, report = done
    assert [dose["value"] for dose in report["doses"]] == ["0.25", "0.5"]
    for dose in report["doses"]:
        own = json.loads((out / "doses" / dose["value"] / "report.json").read_text())
        assert dose["contrasts"]["synthetic-real"] == own["contrasts"]["synthetic-real"]["mae"]
        assert own["config"]["arm"]["synthetic"]["p"] == float(dose["value"])
    assert (out / "figures" / "dose.png").stat().st_size > 2000
    assert "arm.synthetic.p" in (out / "report.md").read_text()
    assert (out / "report.html").read_text().count("data:image/png") == 1


def test_an_uninterrupted_ablation_gives_the_same_figures(done, root, tmp_path):
    out, _, report = done
    shutil.copytree(out / "caches", tmp_path / "caches")
    shutil.copytree(out / "doses" / "0.25" / "runs", tmp_path / "doses" / "0.25" / "runs")
    again = run_ablation(ablation(root, tmp_path), load)
    assert again["doses"] == report["doses"]


def test_a_training_is_borrowed_only_where_it_is_the_same(done, root, tmp_path):
    out, _, _ = done
    first = out / "doses" / "0.25" / "runs" / "labels-3"
    settings = json.loads((first / "synthetic-seed0" / "settings.json").read_text())
    run = EFRun.from_json(settings)
    sweep.borrow(run, tmp_path / "same", [tmp_path / "nothing", first / "synthetic-seed0"])
    assert (tmp_path / "same" / "result.json").exists() and (tmp_path / "same" / "model.safetensors").exists()
    sweep.borrow(run, tmp_path / "other", [first / "real-seed0"])
    assert not (tmp_path / "other").exists()
    assert list(run_all({tmp_path / "same": run}, workers=1)) == [tmp_path / "same"]


@pytest.mark.parametrize("wrong", ["values=[0.5]", "values=[0.5,0.5]", "key=null", "values=null"])
def test_an_ablation_needs_a_key_and_values(root, tmp_path, wrong):
    cfg = configure("benchmark", "experiment=dose_p", f"out={tmp_path}", f"data.root={root}", f"ablation.{wrong}")
    with pytest.raises(EchoAugmentError, match="at least two different values"):
        doses(cfg, str(root))


def test_an_unknown_setting_is_named(root, tmp_path):
    cfg = configure("benchmark", "experiment=dose_p", f"out={tmp_path}", f"data.root={root}", "ablation.key=arms.p")
    with pytest.raises(EchoAugmentError, match=r"arms\.p is no setting"):
        doses(cfg, str(root))


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if not name.startswith("evidence")])
def test_every_experiment_composes(name):
    root = ["data.root=x", "model=tiny"] if name == "echonet_label_scarce" else []
    cfg = configure("benchmark", f"experiment={name}", "out=y", *root)
    if name.startswith("dose"):
        found = doses(cfg, "x")
        assert len(found) >= 2
        keys = {cache_digest(OmegaConf.to_container(dose, resolve=True)) for dose in found.values()}
        assert len(keys) == (1 if cfg.ablation.key.startswith("arm.") else len(found))
    else:
        assert [str(labels) for labels in cfg.labels] == ["1/16", "1/8", "1/4"]
        assert [row.mae["1/16"] for row in cfg.published] == [6.04, 5.77]
        assert {"real", "pseudo_label", "mean_teacher", "synthetic"} <= set(cfg.arm)


def test_the_label_gate_judges_every_clip_and_a_cache_keeps_to_it(root, tmp_path, monkeypatch):
    asked = []

    def tolerant(read, rows, *, quantile, **form):
        asked.append(([row.split for row in rows], quantile, form))
        return {"tolerance": 1000.0}

    monkeypatch.setattr(teacher_gate, "set_tolerance", tolerant)
    chosen = [f"out={tmp_path}", f"data.root={root}", "labels=[3]", "seeds=[0]", "trainer.steps=2"]
    gated = configure("benchmark", *chosen, "arm=[real,synthetic]", "label_gate=0.9")
    assert run_benchmark(gated, "benchmark", load)["clips"][0]["sealed"] == 4
    assert asked == [(["VAL"], 0.9, {"frames": 8, "rate": 12.5, "size": 112})]
    cache = tmp_path / "caches" / "synthetic-labels-3-seed0"
    judged = [json.loads(line) for line in (cache / "readings-0-of-1.jsonl").read_text().splitlines()]
    assert len(judged) == 4 and all({"read_ef", "label_ef"} <= set(one) for one in judged)
    teacher = json.loads((tmp_path / "runs" / "labels-3" / "real-seed0" / "result.json").read_text())
    gates = json.loads((cache / "gates.json").read_text())["gates"]
    assert gates["label"]["teacher"] == teacher["key"] and gates["knows"] == sorted(teacher["labelled"])
    gated.label_gate = None
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        run_benchmark(gated, "benchmark", load)


@pytest.mark.parametrize("name", ["evidence", "evidence_segmentation"])
def test_the_evidence_is_as_large_as_it_was_asked_to_be(name):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("benchmark", [f"experiment={name}", "out=y"])
    assert cfg.task == ("segmentation" if "segmentation" in name else "ef")
    assert {"real", "classical", "synthetic", "oracle"} <= set(cfg.arm) and len(cfg.seeds) >= 5
    assert round(cfg.data.n * cfg.data.splits[0]) - cfg.labels[0] >= 500


@pytest.mark.parametrize("wrong", [0, 1.5, "often", True])
def test_a_label_gate_is_a_quantile(wrong):
    with pytest.raises(EchoAugmentError, match="label_gate must be null or a quantile"):
        teacher_gate.check_label_gate(wrong, ())


def test_a_label_gate_that_would_judge_no_clip_is_refused():
    teacher_gate.check_label_gate(None, ["synthetic"])
    with pytest.raises(EchoAugmentError, match="filled already"):
        teacher_gate.check_label_gate(0.9, ["synthetic"])


def scarce(root: Path, out: Path) -> dict:
    chosen = ["experiment=echonet_label_scarce", "model=tiny", f"out={out}", f"data.root={root}"]
    return OmegaConf.to_container(configure("benchmark", *chosen), resolve=True)


def test_the_published_protocol_trains_the_data_set_s_own_generator_where_none_is_given(root, tmp_path, monkeypatch):
    cfg = configure(
        "benchmark", "experiment=echonet_label_scarce", "model=tiny", f"out={tmp_path}", f"data.root={root}"
    )
    settings, asked = OmegaConf.to_container(cfg, resolve=True), []
    job = own_generator.configure(settings, root, tmp_path / "generator")
    assert (job.preset.name, job.data.root, job.out) == ("base", str(root), str(tmp_path / "generator"))
    assert (job.seed, job.device) == (settings["seed"], settings["device"])
    monkeypatch.setattr(
        filling, "own_generator", lambda *given: asked.append(given) or tmp_path / "generator/generator"
    )
    load_weights(settings, root, [], lambda weights, *_, **__: asked.append(weights))
    assert asked == [(settings, root, tmp_path), str(tmp_path / "generator/generator")]


@pytest.mark.slow
def test_a_benchmark_s_own_generator_is_trained_and_found_done(root, tmp_path, capfd):
    cfg = configure(
        "benchmark", "experiment=echonet_label_scarce", "model=tiny", f"out={tmp_path}", f"data.root={root}"
    )
    settings = OmegaConf.to_container(cfg, resolve=True)
    short = [f"preset.{part}.steps=2" for part in ("codec", "reid", "mafe", "transport", "denoiser")]
    short += ["preset.codec.hearts=4", "preset.reid.hearts=4", "preset.mafe.batch=4", "preset.denoiser.batch=2"]
    settings["generator"]["train"] = ["preset=tiny", "precision=no", *short]
    assert (own_generator.own_generator(settings, root, tmp_path) / "training_hearts.json").is_file()
    own_generator.own_generator(settings, root, tmp_path)
    assert capfd.readouterr().out.count("done before") == 8


def test_the_dry_run_refuses_a_test_heart_under_another_name_among_the_donors(root, tmp_path):
    bad = tmp_path / "bad"
    shutil.copytree(root, bad)
    table = bad / "FileList.csv"
    victim = next(row for row in csv.reader(table.open()) if row[-1] == "TEST")
    shutil.copy(bad / "Videos" / f"{victim[0]}.avi", bad / "Videos" / "STRANGER.avi")
    with table.open("a") as file:
        file.write(",".join(["STRANGER", *victim[1:-1], "TRAIN"]) + "\n")
    cfg = configure("benchmark", "experiment=echonet_label_scarce_dry", f"out={tmp_path / 'o'}", f"data.root={bad}")
    with pytest.raises(EchoAugmentError, match=f"STRANGER shows the same video as held-out {victim[0]}"):
        run_benchmark(cfg, "benchmark", load)
    assert not (tmp_path / "o" / "runs").exists()


@pytest.mark.slow
def test_the_dry_run_of_the_published_protocol(tmp_path):
    cfg = configure("benchmark", "experiment=echonet_label_scarce_dry", f"out={tmp_path}", "trainer.steps=2")
    report = run_benchmark(cfg, "benchmark")
    assert [level["label_fraction"] for level in report["fractions"]] == pytest.approx([1 / 16, 1 / 8, 1 / 4], abs=0.01)
    assert all(cell["p_holm"] >= cell["p"] for cell in [report["contrasts"]["synthetic-real"]["mae"]])
    text = (tmp_path / "report.md").read_text()
    assert "UCVME" in text and "5.77" in text
    assert len(ClipStore(next((tmp_path / "caches").iterdir()))) > 0
