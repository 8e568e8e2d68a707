"""What a call may ask of a pipeline; and noise that a seed decides on any device."""

import pytest
import torch

from echo_augment.augmentor.mcdm.calls import Asked, check_call, draw_noise
from echo_augment.cache import EchoAugmentError

STILL = torch.zeros(2, 112, 112, dtype=torch.uint8)


def asked(**changes):
    return Asked(**({"sampler": "ddim", "length": 16, "steps": 2, "guidance": 1.0, "detail": None} | changes))


def test_a_call_that_fits_passes(untrained, displacing):
    check_call(untrained, STILL, torch.zeros(2, 16, 50), None, asked(guidance=2.0, sampler="ddpm"))
    check_call(displacing, STILL, torch.zeros(2, 20, 6), STILL.bool(), asked(length=20, steps=0))


@pytest.mark.parametrize(
    ("motion", "changes", "message"),
    [
        (8, {"length": 8}, "motion must be"),
        (16, {"steps": 0}, "num_inference_steps must be at least 1, got 0"),
        (16, {"detail": True}, "detail=True needs a transport"),
        (16, {"sampler": "euler"}, "sampler must be one of ddim, ddpm, dpm, got 'euler'"),
    ],
)
def test_one_that_does_not_is_named(untrained, motion, changes, message):
    with pytest.raises(EchoAugmentError, match=message):
        check_call(untrained, STILL, torch.zeros(2, motion, 50), None, asked(**changes))


def test_a_clips_noise_is_its_own_generators():
    one, two = (torch.Generator().manual_seed(seed) for seed in (1, 2))
    both = draw_noise((2, 3, 4), [one, two])
    assert torch.equal(both[0], torch.randn((3, 4), generator=torch.Generator().manual_seed(1)))
    assert torch.equal(draw_noise((2, 3), torch.Generator().manual_seed(5)), torch.randn(
        (2, 3), generator=torch.Generator().manual_seed(5)))  # fmt: skip


@pytest.mark.parametrize("several", [False, True])
def test_noise_is_the_same_by_any_default_number_format(several):
    def draw():
        one = torch.Generator().manual_seed(5)
        return draw_noise((2, 3, 4), [one, torch.Generator().manual_seed(6)] if several else one)

    wanted = draw()
    torch.set_default_dtype(torch.float64)
    try:
        found = draw()
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.dtype == torch.float32 and torch.equal(found, wanted)
