"""What made the clips, as a report tells it."""

from dataclasses import replace
from types import SimpleNamespace

from fakes.benchmark import configure

from echo_augment.augmentor.mcdm.pipeline import BUNDLED, MCDMPipeline
from echo_augment.evaluation.benchmark.level import open_design
from echo_augment.evaluation.benchmark.made import features_of, tell, videos_of


def test_the_bundled_generator_says_whose_motion_features_it_reads_and_how_many_videos_trained_it(root, tmp_path):
    pipeline = MCDMPipeline.load("bundled")
    words = features_of(pipeline)
    whose = {"mafe": "MAFE's flow and motion features", "teacher": "the flow estimator's flow (not MAFE's)"}
    assert words.startswith(whose[str(pipeline.transport.config["flow"])])
    design = open_design(configure(f"out={tmp_path}", f"data.root={root}", "labels=[3]"), (0, 1))[1]
    made = tell(SimpleNamespace(pipeline=pipeline, sampler="ddim-0"), "synthetic", "bundled", design)
    assert (made.generator, made.sampler, made.features) == ("bundled", "ddim-0", words)
    assert made.videos == videos_of(BUNDLED) > 100
    assert "its card" in made.trained_on


def test_what_is_not_known_is_left_open(tmp_path):
    assert features_of(None) == ""
    assert features_of(SimpleNamespace(config={"code": "ef"})) == ""
    assert videos_of(tmp_path) is None


def test_a_generator_of_this_run_is_told_by_the_seed_of_its_training(root, tmp_path):
    settings = configure(f"out={tmp_path}", f"data.root={root}", "labels=[3]")
    trained = replace(settings.generator, weights=None, seeds=[7, 9])
    design = open_design(replace(settings, generator=trained), (0, 1))[1]
    made = tell(SimpleNamespace(sampler="ddim-4"), "synthetic", str(tmp_path / "anywhere"), design, 1)
    assert (made.generator, made.seed, made.trained_on) == ("own", 9, "the TRAIN videos of this run")
    short = replace(trained, train=["preset=tiny", "preset.mafe.steps=600"])
    design = open_design(replace(settings, generator=short), (0, 1))[1]
    made = tell(SimpleNamespace(sampler="ddim-4"), "synthetic", str(tmp_path / "anywhere"), design, 1)
    assert made.trained_on.endswith("of this run (train-generator preset=tiny preset.mafe.steps=600)")
