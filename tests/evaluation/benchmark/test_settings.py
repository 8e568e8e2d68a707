"""Settings of ``benchmark`` and ``demo``: ranges, and what the experiments compose to."""

from dataclasses import replace
from pathlib import Path

import pytest
from fakes.benchmark import configure
from hydra import compose, initialize_config_module

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark import demo, job
from echo_augment.evaluation.benchmark.settings import BenchmarkSettings, DesignSettings, SweepSettings
from echo_augment.evaluation.benchmark.sweep import cache_digest, values_of
from echo_augment.evaluation.statistics.comparison import pairs_of
from echo_augment.evaluation.statistics.ef_summary import PAIRS
from echo_augment.training_recipes.common.settings import settings_from

EXPERIMENTS = sorted(path.stem for path in (Path(__file__).parents[3] / "training_recipes/conf/experiment").glob("*"))
SWEEPS = [name for name in EXPERIMENTS if name.startswith("sweep_")]


def composed(name: str, kind: type, *overrides: str):
    assert job and demo, "which register their settings"
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return settings_from(compose(name, ["out=y", *overrides]), kind)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seeds=[1,1]", r"seeds must be a list of different values, got \[1, 1\]"),
        ("labels=[]", "labels must be"),
        ("seeds=[-1]", "seeds must be a whole number of at least 0, got -1"),
        ("workers=0", "workers must be auto or a number of at least 1, got 0"),
        ("workers=many", "workers must be .* got 'many'"),
        ("level=1.0", r"level must be in \(0, 1\), got 1.0"),
        ("label_gate=0", r"label_gate must be in \(0, 1\], got 0"),
        ("label_gate=1.5", r"label_gate must be in \(0, 1\], got 1.5"),
        ("masks_at_least=2", r"masks_at_least must be in \[0, 1\], got 2"),
        ("clips=0", "clips must be a whole number of at least 1, got 0"),
        ("unlabelled=-1", "unlabelled must be .* got -1"),
        ("generator.steps=-1", "generator.steps must be .* got -1"),
    ],
)
def test_a_value_out_of_its_range_is_named(override, message):
    with pytest.raises(EchoAugmentError, match=message):
        configure("out=y", override)


def test_an_unknown_task_is_named():
    with pytest.raises(EchoAugmentError, match="task must be one of ef, segmentation, got 'strain'"):
        replace(configure("out=y"), task="strain")


def test_a_label_gate_that_would_judge_no_clip_is_refused():
    with pytest.raises(EchoAugmentError, match="filled already"):
        configure("out=y", "label_gate=0.9", "+caches.synthetic=folder")


def test_a_sweep_of_masks_or_of_one_process_among_several_is_refused():
    sweep = SweepSettings(key="clips", values=[2, 4])
    with pytest.raises(EchoAugmentError, match="one process's work, got rank=0"):
        replace(configure("out=y", "rank=0", "world=2"), sweep=sweep)
    with pytest.raises(EchoAugmentError, match="a sweep needs task=ef"):
        replace(configure("out=y"), sweep=sweep, task="segmentation")


def test_the_demo_composes_for_phantoms_and_for_real_patients():
    phantom, real = (composed("demo", DesignSettings, *more) for more in ([], ["data=echonet", "data.root=x"]))
    assert list(phantom.arm) == ["real", "synthetic", "oracle"]
    assert (phantom.labels, phantom.seeds) == ([16], [0, 1, 2])
    assert real.labels == ["all"]
    assert real.trainer.steps < phantom.trainer.steps
    assert phantom.trainer.precision == real.trainer.precision == "fp32", "bf16 rounds as the processor does"
    assert phantom.level == 0.99, "three seeds claim little"


def test_a_sweep_can_be_typed_and_a_mistyped_one_is_named():
    assert configure("out=y", "sweep={key:clips,values:[2,4]}").sweep == SweepSettings(key="clips", values=[2, 4])
    with pytest.raises(EchoAugmentError, match=r"no setting keys. Did you mean key"):
        configure("out=y", "sweep={keys:clips,values:[2,4]}")


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_has_settings_for_each_of_its_values(name):
    settings = configure(f"experiment={name}", "out=y")
    found = values_of(settings, settings.sweep)
    assert len(found) >= 2
    keys = {cache_digest(one) for one in found.values()}
    assert len(keys) == (1 if settings.sweep.key.startswith("arm.") else len(found))


@pytest.mark.parametrize("name", ["echonet_label_scarce", "echonet_label_scarce_dry"])
def test_the_published_protocol_has_its_label_fractions_arms_and_rows(name):
    more = ["data.root=x", "model=tiny"] if name == "echonet_label_scarce" else []
    settings = configure(f"experiment={name}", "out=y", *more)
    assert settings.labels == ["1/16", "1/8", "1/4"]
    assert [row.mae["1/16"] for row in settings.published] == [6.04, 5.77]
    assert {"real", "pseudo_label", "mean_teacher", "synthetic"} <= set(settings.arm)


@pytest.mark.parametrize("name", ["evidence", "evidence_segmentation"])
def test_the_evidence_is_as_large_as_it_was_asked_to_be(name):
    settings = composed("benchmark", BenchmarkSettings, f"experiment={name}")
    assert settings.task == ("segmentation" if "segmentation" in name else "ef")
    assert {"real", "classical", "synthetic", "oracle"} <= set(settings.arm) and len(settings.seeds) >= 5
    assert round(settings.data.n * settings.data.splits[0]) - settings.labels[0] >= 500


PROTOCOL = [name for name in EXPERIMENTS if name.startswith("protocol_")]


def test_the_protocol_asks_ten_questions_and_says_what_it_tunes():
    found = {name: composed("benchmark", BenchmarkSettings, f"experiment={name}") for name in PROTOCOL}
    assert sorted(one.number for settings in found.values() for one in settings.primary or ()) == list(range(1, 11))
    for name, settings in found.items():
        assert settings.labels[0] + settings.val_at_least in (16, 64), "VAL labels are counted"
        assert (settings.data.label_noise, settings.data.recording, settings.data.format) == (4.0, "table", 3)
        assert round(settings.data.n * settings.data.splits[0]) == 570
        assert (settings.generator.weights, settings.generator.seeds) == (None, [0, 1, 2]), "the run's own, three"
        assert settings.tune.of or settings.tune.data["seed"] == 20
        assert len(settings.seeds) == (5 if name.endswith(("_more", "_small")) else 10)
        assert settings.primary is None or len(settings.seeds) == 10
    grids = found["protocol_16"].tune.grid | found["protocol_16_more"].tune.grid
    assert set(grids) == {
        "classical_strong",
        "mixup",
        "mean_teacher+classical_strong",
        "pseudo_label+classical_strong",
        "synthetic",
    }
    assert all(len(grid.values) == 3 for grid in grids.values())
    for grid in grids.values():
        assert all(path.split(".")[0] in {arm for one in found.values() for arm in one.arm} for path in grid.also)
    assert found["protocol_shift"].data.population == "B" and found["protocol_shift"].generator.also
    assert found["protocol_masks"].task == "segmentation" and found["protocol_masks"].tests["B"]
    assert {settings.model.name for settings in found.values()} == {"tiny", "small", "unet"}


@pytest.mark.parametrize("name", ["echonet_label_scarce", "echonet_label_scarce_25", "echonet_label_scarce_25_val"])
def test_the_published_protocol_is_stated_in_epochs_and_in_val(name):
    settings = composed("benchmark", BenchmarkSettings, f"experiment={name}", "data.root=x")
    assert settings.trainer.epochs == (25 if "_25" in name else 45)
    assert settings.val_at_least == (1288 if name.endswith("_val") else 1)
    assert (settings.label_gate, settings.generator.steps) == (0.9, None), "steps: as re-enactment chose them"


def test_folders_beside_the_benchmark_s_own_are_named_without_it():
    """``out`` need not be there yet, and a path that leads through it then leads nowhere."""
    found = composed("benchmark", BenchmarkSettings, "experiment=protocol_16_more", "out=runs/p/ef-16-more")
    assert (found.data.root, found.generator.folder, found.store) == (
        "runs/p/A-21",
        "runs/p/generators-21",
        "runs/p/caches",
    )
    assert (found.borrow, found.tune.of, found.tune.data["root"]) == (["runs/p/ef-16"], ["runs/p/ef-16"], "runs/p/A-20")
    assert found.tests == {"B": "runs/p/B-21"}


def test_a_backbone_of_others_is_an_opponent_of_the_published_protocol():
    given = ["data.root=x", "pretrained.layout=panecho", "pretrained.weights=f"]
    found = composed("benchmark", BenchmarkSettings, "experiment=echonet_label_scarce_pretrained", *given)
    assert {"pretrained_probe", "pretrained_finetuned", "synthetic+pretrained_finetuned"} <= set(found.arm)
    pairs = pairs_of(list(found.arm), PAIRS)
    assert ("pretrained_finetuned", "classical_strong") in pairs
    assert ("synthetic+pretrained_finetuned", "pretrained_finetuned") in pairs, "what clips add to it"
