"""Sweeps over a setting: shared trainings, going on after a kill, the dose-response report."""

import json
import shutil
from pathlib import Path

import pytest
from fakes.benchmark import configure, load

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark import trainings
from echo_augment.evaluation.benchmark.job import run_sweep
from echo_augment.evaluation.benchmark.settings import BenchmarkSettings, SweepSettings
from echo_augment.evaluation.benchmark.sweep import cache_digest, values_of


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_phantoms(
        tmp_path_factory.mktemp("phantoms"), 14, num_frames=36, workers=1, splits=(0.5, 0.1, 0.4), format=2
    )


def sweep(root: Path, out: Path) -> BenchmarkSettings:
    chosen = ["experiment=sweep_p", f"out={out}", f"data.root={root}", "labels=[3]", "sweep.values=[0.25,0.5]"]
    return configure(*chosen, "seeds=[0]", "trainer.steps=2")


class Killed(BaseException):
    """As a signal would come."""


@pytest.fixture(scope="module")
def done(root, tmp_path_factory):
    """A sweep that was killed before its second value's training, and run again."""
    out = tmp_path_factory.mktemp("sweep")
    settings = sweep(root, out)
    train, trained = trainings.train_ef, []

    def dies(run, folder, **more):
        if len(trained) == 2:
            raise Killed
        trained.append(folder)
        return train(run, folder, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainings, "train_ef", dies)
        with pytest.raises(Killed):
            run_sweep(settings, settings.sweep, load)
        patch.setattr(trainings, "train_ef", lambda *given, **more: trained.append(given[1]) or train(*given, **more))
        report = run_sweep(settings, settings.sweep, load)
    return out, trained, report


def test_what_a_value_does_not_change_is_done_once_and_a_killed_one_goes_on(done):
    out, trained, _ = done
    names = [str(folder.relative_to(out / "doses")) for folder in trained]
    assert names == [f"0.25/runs/labels-3/{arm}-seed0" for arm in ("real", "synthetic")] + [
        "0.5/runs/labels-3/synthetic-seed0"
    ]
    assert len(list((out / "caches").iterdir())) == 1
    real = [out / "doses" / value / "runs/labels-3/real-seed0/result.json" for value in ("0.25", "0.5")]
    assert real[0].read_bytes() == real[1].read_bytes()


def test_the_report_has_a_row_and_a_plot_for_the_values(done):
    out, _, report = done
    assert [row.value for row in report.rows] == ["0.25", "0.5"]
    for row in report.rows:
        own = json.loads((out / "doses" / row.value / "report.json").read_text())
        assert row.contrasts["synthetic-real"].to_json() == own["contrasts"]["synthetic-real"]["mae"]
        assert own["config"]["arm"]["synthetic"]["p"] == float(row.value)
    assert (out / "figures" / "sweep.png").stat().st_size > 2000
    assert "arm.synthetic.p" in (out / "report.md").read_text()
    assert (out / "report.html").read_text().count("data:image/png") == 1


def test_the_report_keeps_its_published_keys(done):
    out, _, report = done
    written = json.loads((out / "report.json").read_text())
    assert {"job", "task", "data", "seeds", "level", "hearts", "steps", "ablation", "doses", "notes"} <= set(written)
    assert written["ablation"] == "arm.synthetic.p"
    assert {"value", "labelled_hearts", "arms", "contrasts", "recovered_gain"} <= set(written["doses"][0])
    assert written["doses"] == [row.to_json() for row in report.rows]


def test_an_uninterrupted_sweep_gives_the_same_figures(done, root, tmp_path):
    out, _, report = done
    shutil.copytree(out / "caches", tmp_path / "caches")
    shutil.copytree(out / "doses" / "0.25" / "runs", tmp_path / "doses" / "0.25" / "runs")
    settings = sweep(root, tmp_path)
    assert run_sweep(settings, settings.sweep, load).rows == report.rows


@pytest.mark.parametrize(
    "wrong",
    [
        SweepSettings(key="clips", values=[2]),
        SweepSettings(key="clips", values=[2, 2]),
        SweepSettings(key=None, values=[2, 4]),
        SweepSettings(key="clips", values=None),
    ],
)
def test_a_sweep_needs_a_key_and_values(wrong):
    with pytest.raises(EchoAugmentError, match="at least two different values"):
        values_of(configure("out=y"), wrong)


def test_an_unknown_setting_is_named():
    with pytest.raises(EchoAugmentError, match=r"arms\.p is no setting"):
        values_of(configure("out=y"), SweepSettings(key="arms.p", values=[1, 2]))


def test_a_value_out_of_its_range_is_refused_before_any_work(tmp_path):
    settings = configure(f"out={tmp_path / 'sweep'}", "data=phantom")
    with pytest.raises(EchoAugmentError, match="label_gate must be"):
        run_sweep(settings, SweepSettings(key="label_gate", values=[None, 2.0]))
    assert not list(tmp_path.iterdir())


def test_only_an_arm_may_get_a_key_that_it_does_not_have_yet():
    found = values_of(configure("out=y"), SweepSettings(key="arm.synthetic.most", values=[2, 4]))
    assert [one.arm["synthetic"]["most"] for one in found.values()] == [2, 4]


def test_caches_of_earlier_sweeps_are_found_again():
    """Digests as they were before the settings got types; a change would fill every cache of an old sweep again."""
    settings = configure("out=y", "data.root=/data/x", "data.format=2", "clips=100")
    assert cache_digest(settings) == "8b8450fcea79"
    gated = configure("out=y", "data.root=/data/x", "data.format=2", "clips=100", "label_gate=0.9")
    assert cache_digest(gated) == "8c5c31331a53"
