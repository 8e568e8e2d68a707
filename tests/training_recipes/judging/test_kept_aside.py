"""Judging of the videos kept aside: how many, which steps, and what the card says."""

import pytest

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.mcdm import MCDMPipeline, make_heart
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.judging import kept_aside
from echo_augment.training_recipes.judging.kept_aside import (
    ReenactmentSettings,
    feature_extractor,
    judge_kept_aside,
    steps_to_compare,
)


@pytest.fixture(scope="module")
def pipeline():
    found = MCDMPipeline.load("bundled")
    found.set_progress_bar_config(disable=True)
    return found


def heart_of(seed, frames=None):
    phantom = sample_phantom(seed)
    clip = render(phantom.motion, phantom.appearance, seed=seed)
    return make_heart(phantom.name, clip.frames[:frames], clip.fps, rate=12.5, size=112)


@pytest.fixture(scope="module")
def hearts():
    return [heart_of(5), heart_of(6), heart_of(7, 40)]


def test_few_videos_are_measured_and_choose_nothing(pipeline, hearts):
    found = judge_kept_aside(pipeline, hearts, ReenactmentSettings(curve=[1]), seed=0)
    assert (found.videos, found.too_short, found.chosen) == (2, 1, False)
    assert found.steps == pipeline.config["steps"] and list(found.rows)[:3] == ["still", "warp", "codec"]
    report = found.to_json()
    assert report["rows"]["steps-1"]["explained"] > 0.5 and report["rule"] == {"distance": 0.05, "motion": 0.02}
    text = found.text()
    assert "ED frame warped by dense flow" in text and "8 videos or more are needed to choose" in text


def test_enough_videos_choose_the_default_by_the_rule(pipeline, hearts, monkeypatch):
    monkeypatch.setattr(kept_aside, "LEAST_VIDEOS", 2)
    asked = {}

    def choose(rows, rule):
        asked.update(rows=list(rows), rule=rule)
        return 1

    monkeypatch.setattr(kept_aside, "choose_steps", choose)
    found = judge_kept_aside(pipeline, hearts[:2], ReenactmentSettings(curve=[1]), seed=0)
    assert found.steps == 1 and found.chosen and asked["rows"] == [0, 1]
    assert "Default number of steps: **1** (chosen: the fewest steps" in found.text()


def test_nothing_to_judge_is_none(pipeline, hearts):
    assert judge_kept_aside(pipeline, hearts, ReenactmentSettings(videos=0), seed=0) is None
    assert judge_kept_aside(pipeline, hearts[2:], ReenactmentSettings(), seed=0) is None


def test_the_fewest_steps_and_the_presets_own_are_always_compared(pipeline, monkeypatch):
    assert steps_to_compare(pipeline, [4, 1]) == [0, 1, 4]
    assert steps_to_compare(pipeline, []) == [0]
    monkeypatch.setattr(MCDMPipeline, "least_steps", 1)
    monkeypatch.setattr(MCDMPipeline, "config", dict(pipeline.config) | {"steps": 6}, raising=False)
    assert steps_to_compare(pipeline, [0, 2]) == [1, 2, 6]


def test_settings_out_of_range_and_extractors_there_are_not_are_refused():
    with pytest.raises(EchoAugmentError, match=r"reenactment\.videos"):
        ReenactmentSettings(videos=-1)
    with pytest.raises(EchoAugmentError, match=r"reenactment\.curve"):
        ReenactmentSettings(curve=[-1])
    with pytest.raises(EchoAugmentError, match="cannot be imported"):
        feature_extractor("nowhere:nothing")
