"""Sampling for measurements: equal noise for equal seeds however clips are batched, with and without the detail."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from echo_augment.augmentor.mcdm.codec import decode, encode
from echo_augment.augmentor.mcdm.flow import carry_details
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
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


def test_detail_is_what_the_codec_loses_of_the_reference_carried_along():
    vae = MCDMPipeline.load("bundled").vae

    class Blurred(Noise):
        def __call__(self, references, codes, **told):
            return (references[:, None].repeat(1, 2, 1, 1) // 2,)

    pipeline = Blurred(detail=True)
    pipeline.vae = vae
    references = np.random.default_rng(0).integers(0, 200, (2, 112, 112)).astype(np.uint8)
    found = generate(pipeline, references, [torch.zeros(2, 3)] * 2, Sampling(steps=0, sampler="ddim", seed=0))
    assert np.array_equal(found.plain, np.repeat(references[:, None], 2, 1) // 2)
    blurred = decode(vae, encode(vae, torch.from_numpy(references))).numpy()
    np.testing.assert_array_equal(found.clips, carry_details(found.plain, references, blurred))
    assert not np.array_equal(found.clips, found.plain)
