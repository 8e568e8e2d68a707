"""The table generator: its figures from parts with known answers."""

import numpy as np
import pytest
import torch

from echo_augment.evaluation.speed import generator
from echo_augment.evaluation.speed.generator import flops, matrix_peak, reference_row, sampling_rows, work_rows
from echo_augment.evaluation.speed.rows import MISSING, PASS, SHORT

CPU = torch.device("cpu")


def test_figures_of_the_generator():
    times = {"ddim-1": [1.0], "ddim-8": [4.0], "decode": [1.0], "donor": [0.5], "reference": [100.0]}
    seconds = {name: np.array(part) for name, part in times.items()}
    one, eight, rate, share, donor = sampling_rows(seconds, 4, 8, CPU)
    assert (one.found.median, eight.found.median) == (0.25, 1.0) and eight.what == "a clip in 8 DDIM steps"
    assert rate.found.median == 1.0 and rate.verdict == SHORT and share.found.median == 25.0
    assert donor.found.median == 0.5
    faster = reference_row(seconds, 8, "ddim", CPU)
    assert faster.found.median == 25 and faster.verdict == PASS
    assert reference_row(seconds, 8, "ddpm", torch.device("cuda")).verdict == SHORT
    del seconds["reference"]
    assert reference_row(seconds, 8, "ddim", CPU).verdict == MISSING


def test_work_is_counted_and_held_against_the_peak(monkeypatch):
    matrix = torch.ones(32, 32)
    work = flops(lambda turn: matrix @ matrix)
    assert work == 2 * 32**3
    peak, dtype = matrix_peak(CPU, repeats=1)
    assert peak > 1e6 and dtype in ("float32", "bfloat16")
    monkeypatch.setattr(generator, "matrix_peak", lambda device: (4 * work, "float32"))
    count, share = work_rows(np.array([0.5]), work, CPU)
    assert share.found.median == 50 and count.found.median == pytest.approx(work / 1e9) and share.verdict == ""
    assert work_rows(np.array([0.5]), work, torch.device("cuda"))[1].verdict == PASS
