"""Sampling for measurements: equal noise for equal seeds however clips are batched, with and without the detail."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from echo_augment.training_recipes.judging import sampling
from echo_augment.training_recipes.judging.sampling import Sampling, generate


class Noise:
    """A pipeline whose clips are the first numbers of the noise that it is given."""

    def __init__(self, *, detail=False):
        self.config, self.device, self.vae, self.told = {"detail": detail}, torch.device("cpu"), None, []

    def __call__(self, references, codes, *, generator, **told):
        self.told.append({**told, "clips": len(references), "codes": tuple(codes.shape)})
        drawn = [torch.randint(0, 256, (2, 4, 4), generator=one, dtype=torch.uint8) for one in generator]
        return (torch.stack(drawn),)


def made(count, *, pipeline=None, batch=8, **changes):
    codes = [torch.zeros(2, 3)] * count
    given = Sampling(**{"steps": 4, "sampler": "dpm", "seed": 0, **changes})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "BATCH", batch)
        return generate(pipeline or Noise(), np.zeros((count, 4, 4), np.uint8), codes, given)


def test_noise_follows_from_the_seed_and_the_place_of_a_clip():
    whole = made(5).clips
    assert whole.shape == (5, 2, 4, 4) and whole.dtype == np.uint8
    assert np.array_equal(made(5, batch=2).clips, whole), "however the clips are batched"
    assert np.array_equal(made(5, steps=1, sampler="ddim", guidance=2.0).clips, whole), "whatever the sampler"
    assert np.array_equal(made(3).clips, whole[:3]) and not np.array_equal(made(5, seed=1).clips, whole)
    assert len({clip.tobytes() for clip in whole}) == 5


def test_the_pipeline_is_told_how_to_sample():
    pipeline = Noise()
    made(5, pipeline=pipeline, batch=4, guidance=1.5)
    assert [told["clips"] for told in pipeline.told] == [4, 1] and pipeline.told[0]["codes"] == (4, 2, 3)
    told = {key: pipeline.told[0][key] for key in ("num_inference_steps", "sampler", "guidance_scale", "detail")}
    assert told == {"num_inference_steps": 4, "sampler": "dpm", "guidance_scale": 1.5, "detail": False}


def test_the_global_random_state_stays_and_time_is_for_a_clip(monkeypatch):
    clock = iter([10.0, 16.0])
    monkeypatch.setattr(sampling, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    before = torch.random.get_rng_state()
    found = made(3)
    assert found.seconds == 2.0 and torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(found.clips, found.plain), "a generator without detail"


def test_detail_rides_on_the_displacement_and_leaves_the_plain_clips():
    class Detailed(Noise):
        def displacements(self, references, codes):
            return torch.full((len(references), codes.shape[1], 2, 4, 4), 0.5)

        def add_detail(self, clips, references, moves):
            assert moves.shape == (len(references), 2, 2, 4, 4) and references.shape == (len(clips), 4, 4)
            return clips // 2 + moves[:, :, 0].to(torch.uint8)

    found = made(3, pipeline=Detailed(detail=True), batch=2)
    assert np.array_equal(found.plain, made(3).clips) and np.array_equal(found.clips, found.plain // 2)
