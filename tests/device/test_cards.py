"""What ``base`` and ``paper`` say of GPUs: with the settings that they name a training fits, without them it does not.

The bytes that autograd keeps are counted on tensors without numbers, in mixed bfloat16.
"""

import re
from functools import cache
from pathlib import Path

import pytest
from fakes.generator import settings
from fakes.gpu import in_child, on_gpu

import echo_augment.training_recipes.conf as conf
from echo_augment.training_recipes.doctor.memory import CHECKPOINTED, USABLE

PRESETS = ("base", "paper")
SIZES = (16, 24, 40, 80)
BATCH = 16  # of denoiser and student


def told(name):
    """What a preset's file says is to be set, by gigabytes."""
    text = (Path(conf.__path__[0]) / "preset" / f"{name}.yaml").read_text(encoding="utf-8")
    found = {int(size): words.split() for size, words in re.findall(r"^#   (\d+) GB: (.+)$", text, re.MULTILINE)}
    return {size: [] if words == ["nothing"] else words for size, words in found.items()}


@cache
def counted(name):
    """What each stage needs, and the items of its batch; no tensor without numbers is made in this process."""

    def count():
        of = on_gpu(f"preset={name}")
        return {stage: (of.needs(stage, "bf16"), step.items) for stage, step in of.steps.items()}

    return in_child(count)


def needs(name, stage):
    return counted(name)[stage][0]


def fits(name, size, overrides):
    """Whether denoiser and student fit on a card of so many gigabytes."""
    given = settings(f"preset={name}", *overrides)
    return all(
        needs(name, stage).of(getattr(given.preset, stage).batch, checkpointing=bool(given.checkpointing))
        < USABLE * size * 1e9
        for stage in CHECKPOINTED
    )


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_told_fits_and_is_needed(name):
    assert tuple(told(name)) == SIZES
    for size, overrides in told(name).items():
        assert fits(name, size, overrides), (size, overrides)
        given = settings(f"preset={name}", *overrides)
        assert given.preset.denoiser.batch * given.batches_a_step == BATCH, "as large a batch in all"
        for left_out in overrides:
            others = [one for one in overrides if one != left_out]
            if not left_out.startswith("accumulate"):
                assert not fits(name, size, others), f"{left_out} is not needed with {size} GB"


@pytest.mark.parametrize(("name", "plain", "checkpointed"), [("base", 3.8, 1.2), ("paper", 69, 36)])
def test_the_activations_that_are_told_are_those_that_are_counted(name, plain, checkpointed):
    found = needs(name, "denoiser")
    assert BATCH * found.item / 1e9 == pytest.approx(plain, rel=0.02)
    assert BATCH * found.checkpointed / 1e9 == pytest.approx(checkpointed, rel=0.05)
    text = (Path(conf.__path__[0]) / "preset" / f"{name}.yaml").read_text(encoding="utf-8")
    assert f" {plain} GB" in text or f" {plain}, with" in text
    assert re.search(rf"checkpointing {checkpointed}\b", text.replace("\n# ", " "))


@pytest.mark.parametrize(("name", "most", "rest"), [("base", 5.8, 1.0), ("paper", 5.6, 1.0)])
def test_no_other_stage_keeps_more(name, most, rest):
    for stage in counted(name).keys() - set(CHECKPOINTED):
        found, items = counted(name)[stage]
        kept = items * found.item / 1e9
        assert kept == pytest.approx(most, rel=0.02) if stage == "codec" else 0.1 < kept < rest, stage
        assert found.of(items) < USABLE * SIZES[0] * 1e9
