"""Presets: each composes, a value out of its range is named, and only what decides the weights decides the run."""

import pytest
from fakes.generator import compose_job, preset, settings
from fakes.lpips import write_lpips
from hydra.errors import ConfigCompositionException

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.settings import object_from
from echo_augment.training_recipes.generator.preset import LossWeights, PresetSettings, ReidSettings, named_preset


@pytest.mark.parametrize("name", ["tiny", "base", "paper"])
def test_a_preset_names_itself_and_lasts_a_whole_beat(name):
    settings = preset(f"preset={name}")
    assert settings.name == name and settings.frames / settings.rate >= 1.28


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("preset.code=flows", "preset.code must be one of .*, got 'flows'. Did you mean flow"),
        ("preset.rate=0", "preset.rate must be above 0, got 0"),
        ("preset.codec.steps=-1", "preset.codec.steps must be a whole number of at least 0, got -1"),
        ("preset.reid.lr=0", "preset.reid.lr must be above 0, got 0"),
        ("preset.mafe.batch=0", "preset.mafe.batch must be a whole number of at least 1, got 0"),
        ("preset.mafe.losses.reid=-1", "preset.mafe.losses.reid must be at least 0, got -1"),
        ("preset.mafe.horizon=3", r"preset.mafe.horizon must be a whole number of at least \d+, got 3"),
        ("preset.mafe.validate_every=0", "preset.mafe.validate_every must be a whole number of at least 1, got 0"),
        ("preset.mafe.losses.reid_distance=l1", "losses.reid_distance must be one of squared, cosine, got 'l1'"),
        ("preset.mafe.losses.flow_target=middle", "losses.flow_target must be one of ends, pair, got 'middle'"),
        ("preset.transport.flow=raft", "preset.transport.flow must be one of mafe, teacher, got 'raft'"),
        ("preset.denoiser.motion=clip", "preset.denoiser.motion must be one of frame, vector, got 'clip'"),
        ("preset.denoiser.ema=2", r"preset.denoiser.ema must be in \[0, 1\], got 2"),
        ("preset.student.kind=gan", r"preset\.student\.kind must be one of consistency, reflow, got 'gan'"),
        ("preset.frames=1", "preset.frames must be a whole number of at least 2, got 1"),
        ("preset.size=4", "preset.size must be a whole number of at least 8, got 4"),
        ("preset.denoiser.drop=1.5", r"preset.denoiser.drop must be in \[0, 1\], got 1.5"),
        ("preset.denoiser.weight_decay=-1", "preset.denoiser.weight_decay must be at least 0, got -1"),
        ("preset.codec.each=0", "preset.codec.each must be a whole number of at least 1, got 0"),
        ("preset.mafe.save_every=0", "preset.mafe.save_every must be a whole number of at least 1, got 0"),
        ("preset.student.grid=0", "preset.student.grid must be a whole number of at least 1, got 0"),
    ],
)
def test_a_value_out_of_range_is_named(override, message):
    with pytest.raises(EchoAugmentError, match=message):
        preset(override)


@pytest.mark.parametrize("override", ["preset.codec.stepz=3", "preset.codec.steps=many", "preset.mafe.losses.reed=1"])
def test_a_mistyped_setting_is_refused_by_hydra(override):
    with pytest.raises(ConfigCompositionException):
        compose_job("out=x", override)


def test_a_section_is_named_in_its_errors_however_it_is_made():
    given = {"lr": 1e-3, "warmup": 0, "save_every": 10, "width": 8, "embedding": 4, "hearts": 2}
    assert ReidSettings(steps=0, **given).ema is None
    with pytest.raises(EchoAugmentError, match=r"preset\.reid\.steps must be a whole number of at least 0, got -1"):
        ReidSettings(steps=-1, **given)
    with pytest.raises(EchoAugmentError, match=r"preset\.mafe\.losses\.flow must be at least 0, got -0.5"):
        LossWeights(reid=1.0, flow=-0.5)
    with pytest.raises(EchoAugmentError, match="reid_distance=cosine compares directions, whatever reid_unit says"):
        LossWeights(reid=1.0, flow=1.0, reid_distance="cosine", reid_unit=False)


def test_what_decides_the_weights_leaves_out_the_sampler_and_what_is_not_given():
    plain = preset().plain()
    assert preset("preset.sampler_steps=9").plain() == plain != preset("preset.rate=25").plain()
    assert "sampler_steps" not in plain and plain["student"]["sampler_steps"] == 1
    assert "weight_decay" not in plain["codec"] and "ema" not in plain["reid"]
    assert plain["denoiser"]["weight_decay"] == 0.01 and plain["mafe"]["losses"] == {
        "reid": 0.3,
        "flow": 2.0,
        "reid_distance": "squared",
        "reid_unit": True,
        "flow_target": "ends",
        "flow_unit": True,
    }
    assert preset("preset.codec.weight_decay=0.5").plain()["codec"]["weight_decay"] == 0.5
    assert object_from({**plain, "sampler_steps": 4}, PresetSettings) == preset()
    assert PresetSettings.from_plain(plain).plain() == plain


def test_lpips_decides_the_weights_by_what_its_files_hold(tmp_path):
    plain = preset("preset=paper").plain()
    assert plain == preset("preset=paper", "preset.codec.lpips=null").plain(), "left out is not asked for"
    trained = []
    for place, seed in (("a", 0), ("b", 0), ("b", 1)):
        folder = write_lpips(tmp_path / place, seed=seed)
        trained.append(preset("preset=paper", f"preset.codec.lpips_weights={folder}").plain()["codec"])
    assert trained[0] == trained[1] != trained[2]
    assert trained[0]["lpips"] == 1 and "lpips" not in plain["codec"]
    with pytest.raises(EchoAugmentError, match=r"Add preset\.codec\.lpips=1"):
        preset("preset=tiny", f"preset.codec.lpips_weights={tmp_path}")


def test_files_of_lpips_are_looked_at_before_any_work(tmp_path):
    asked = settings("preset=paper", f"preset.codec.lpips_weights={tmp_path}")
    with pytest.raises(EchoAugmentError, match=r"vgg16-397923af\.pth: there is no such file"):
        asked.check_inputs()
    write_lpips(tmp_path)
    asked.check_inputs()


def test_presets_are_found_by_name():
    assert named_preset("paper").frames == 64
    with pytest.raises(EchoAugmentError, match=r"there is no preset 'huge'. There are: base, paper, tiny"):
        named_preset("huge")
