"""Variants of the generator: changed in place, and held against it as it is."""

import numpy as np
import torch

from echo_augment.augmentor.mcdm import MCDMPipeline
from echo_augment.evaluation.speed.settings import VARIANTS
from echo_augment.evaluation.speed.variants import CHANGES, make_variants, variant_rows


def test_variants_of_the_generator_are_held_against_it_as_it_is():
    plain, calls = MCDMPipeline.load("bundled"), []

    def sample(pipeline, turn):
        calls.append((pipeline, turn))
        return torch.full((2, 3, 4, 4), 7, dtype=torch.uint8)

    variants = make_variants(
        ["channels_last"], lambda: MCDMPipeline.load("bundled"), sample, torch.full((2, 3, 4, 4), 5, dtype=torch.uint8)
    )
    variants["channels_last"].contender(5)
    changed = calls[0][0]
    assert calls == [(changed, turn) for turn in (0, 1, 2, 5)] and variants["channels_last"].apart == 2
    layouts = [net.denoiser.enter.weight.is_contiguous(memory_format=torch.channels_last) for net in (plain, changed)]
    assert layouts == [False, True]
    row = variant_rows(variants, {"channels_last": np.array([2.0, 4.0])}, np.array([3.0, 6.0]), 4)[0]
    assert row.found.median == 1.5 and row.verdict == "" and "4 DDIM steps with the channels last" in row.what
    assert "differ by 2 gray levels" in row.detail


def test_what_is_compiled_is_what_a_sample_calls(monkeypatch):
    pipeline, called = MCDMPipeline.load("bundled"), set()

    def compile_(forward, mode=None, dynamic=None):
        def call(*args, **kwargs):
            called.add(type(forward.__self__).__name__)
            return forward(*args, **kwargs)

        return call

    monkeypatch.setattr(torch, "compile", compile_)
    CHANGES["compile"][1](pipeline)
    codes = torch.zeros(1, 16, pipeline.transport.config["code_size"])
    pipeline(torch.zeros(1, 112, 112, dtype=torch.uint8), codes, num_inference_steps=1)
    assert called == {"Encoder", "Decoder", "ResidualDenoiser", "Predictor"}


def test_every_variant_that_can_be_asked_for_is_known():
    assert tuple(CHANGES) == VARIANTS
