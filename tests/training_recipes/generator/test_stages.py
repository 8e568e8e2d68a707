"""The table of the stages: each comes after what it needs, and no two share outputs or random numbers."""

import importlib
from collections import Counter

import pytest

from echo_augment.training_recipes.generator.stages import BY_NAME, NAMES, STAGES, needed_by


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_comes_after_what_it_needs(stage):
    assert all(NAMES.index(need) < NAMES.index(stage.name) for need in stage.needs)


def test_needs_follow_from_needs():
    assert needed_by("mafe") == ("reid", "pseudo")
    assert needed_by("motions") == ("reid", "pseudo", "mafe")
    assert needed_by("transport") == ("codec", "latents", "reid", "pseudo", "mafe", "motions")
    assert needed_by("student") == NAMES[:-1]


def test_no_two_stages_leave_the_same_file():
    assert max(Counter(name for stage in STAGES for name in stage.outputs).values()) == 1


def test_no_two_stages_draw_the_same_random_numbers():
    modules = {stage.train.__module__ for stage in STAGES}
    streams = [getattr(importlib.import_module(name), "STREAM", None) for name in sorted(modules)]
    drawn = [stream for stream in streams if stream is not None]
    assert sorted(drawn) == list(range(8))


def test_what_a_run_can_end_in_a_pipeline_with():
    assert {name: stage.pipeline for name, stage in BY_NAME.items() if stage.pipeline} == {
        "denoiser": "generator",
        "student": "generator-student",
    }
