"""The host's part of a clip: its figures from parts with known answers, and what is timed once the clips are made."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from echo_augment.augmentor.mcdm.pipeline import MCDMOutput
from echo_augment.evaluation.speed.host import LAUNCH, TERAFLOPS, Finished, rows_of
from echo_augment.evaluation.speed.rows import PASS, SHORT


def test_the_share_of_the_card_is_arithmetic_over_the_longer_of_both():
    around, kept, reading = (np.array([ms / 1e3]) for ms in (2.0, 3.0, 40.0))
    host, donor, arithmetic, share = rows_of("tiny", around, kept, reading, 1e-3, 2e-3 * TERAFLOPS * 1e12)
    assert host.found.median == pytest.approx(6.0) and host.verdict == PASS
    assert "2.00 ms around the pipeline, 3.00 ms to judge and write, 1.00 ms to call" in host.detail
    assert donor.found.median == pytest.approx(40.0) and arithmetic.found.median == pytest.approx(2.0)
    assert share.found.median == pytest.approx(100 / 3)
    assert rows_of("tiny", 5 * around, kept, reading, 1e-3, 1.0)[0].verdict == SHORT
    assert rows_of("base", 5 * around, kept, reading, 1e-3, 1.0)[0].verdict == PASS
    busy = rows_of("base", around, kept, reading, 1e-3, 60e-3 * TERAFLOPS * 1e12)[-1]
    assert busy.found.median == 100


def test_a_finished_pipeline_computes_once_counts_what_it_calls_and_has_all_else():
    class Adder(SimpleNamespace):
        def __call__(self, number):
            self.asked += 1
            return MCDMOutput(clips=number + 1 + 1)

    pipeline = Adder(asked=0, config={"size": 112})
    finished = Finished(pipeline)
    assert finished.config is pipeline.config
    first, second = finished(torch.ones(2)), finished(torch.zeros(2))
    assert first is second and first.clips.tolist() == [3, 3] and pipeline.asked == 1
    assert finished.calls == 2 and LAUNCH < 1e-4
