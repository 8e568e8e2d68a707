"""The tables ``live``, ``fill`` and ``generator``: their figures from parts with known answers."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from echo_augment.augmentor.mcdm import MCDMPipeline
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.speed import fill, generator, live
from echo_augment.evaluation.speed.fill import process_row, write_raw, write_store
from echo_augment.evaluation.speed.generator import flops, matrix_peak, reference_row, sampling_rows, work_rows
from echo_augment.evaluation.speed.live import BLOCK, Steps, Timed, rows_of, watch
from echo_augment.evaluation.speed.rows import MISSING, PASS, SHORT
from echo_augment.evaluation.speed.variants import VARIANTS, choose_variants, make_variants, variant_rows

CPU = torch.device("cpu")


class FakeLive:
    """A source that takes a known time, and a process that only sleeps."""

    donors = frozenset({"a"})
    ef = np.empty(0)

    def __init__(self, pid, seconds):
        self.pid, self.seconds, self.made = pid, seconds, 0

    def __len__(self):
        return 3

    def take(self, index, key):
        time.sleep(self.seconds)
        return None, "fallback"

    def stats(self):
        self.made += 2
        return {"made": self.made, "cause": "killed"}


class FakeTraining:
    """A step takes two clips and works a while; it keeps whether the process stood still."""

    def __init__(self, timed):
        self.timed, self.states = timed, []

    def step(self):
        began = time.perf_counter()
        self.states.append(Path(f"/proc/{self.timed.source.pid}/stat").read_text().split()[2])
        for index in range(2):
            self.timed.take(index, (0, 0, index))
        time.sleep(0.02)
        return time.perf_counter() - began


class Idle:
    def step(self):
        return 0.1


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads process states from /proc")
def test_the_generator_stands_still_in_every_other_block_and_goes_on(sleeper):
    timed = Timed(FakeLive(sleeper.pid, 0.01))
    training = FakeTraining(timed)
    seen = watch(training, timed, 2)
    states = training.states[3:]
    assert all(state == "T" for state in states[BLOCK : 2 * BLOCK] + states[3 * BLOCK :])
    assert not any(state == "T" for state in states[:BLOCK] + states[2 * BLOCK : 3 * BLOCK])
    assert len(seen.beside) == len(seen.alone) == 2 * BLOCK == len(seen.waits)
    assert 20 < np.median(seen.waits) < 100, "two takes of 10 ms in a step of 40 ms"
    time.sleep(0.05)
    assert Path(f"/proc/{sleeper.pid}/stat").read_text().split()[2] != "T"


def test_the_generator_goes_on_where_training_breaks(sleeper):
    class Broken(Idle):
        calls = 0

        def step(self):
            self.calls += 1
            if self.calls > 3 + BLOCK:
                raise RuntimeError("out of memory")
            return 0.1

    with pytest.raises(RuntimeError, match="out of memory"):
        watch(Broken(), Timed(FakeLive(sleeper.pid, 0)), 2)
    sleeper.send_signal(signal.SIGTERM)
    assert sleeper.wait(timeout=60) == -signal.SIGTERM, "a stopped process would not have ended"


def test_a_generator_that_has_ended_is_an_error():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    timed = Timed(FakeLive(process.pid, 0))
    with pytest.raises(EchoAugmentError, match="has ended: killed"):
        watch(Idle(), timed, 1)


def test_figures_of_a_training_beside_the_generator():
    seen = Steps(beside=[0.3] * 8, alone=[0.2] * 8, waits=[0.5] * 8, running=4.0, made=10)
    wait, slowdown, fresh = rows_of(seen, {"epoch": 0, "real": 8, "cached": 0, "fresh": 3, "fallback": 5})
    assert wait.verdict == PASS and wait.found.median == 0.5 and "3 fresh, 5 fallback" in wait.detail
    assert slowdown.found.median == pytest.approx(1.5) and fresh.found.median == 2.5
    seen.waits = [1.5] * 8
    assert rows_of(seen, {"real": 1, "fresh": 0, "fallback": 0})[0].verdict == SHORT
    assert live.WAIT == 1.0


def test_two_processes_against_one(monkeypatch, tmp_path):
    folders = []

    def time_fill(processes, clips, seconds, folder):
        folders.append(folder)
        return 1.0 + clips * seconds / processes

    monkeypatch.setattr(fill, "time_fill", time_fill)
    row = process_row(tmp_path, 3, 100, 0.1)
    assert row.found.median == pytest.approx(11 / 6) and row.verdict == PASS
    assert [folder.name for folder in folders] == ["0-1", "0-2", "1-2", "1-1", "2-1", "2-2"]


def test_both_writers_put_everything_on_disk(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (3, 4, 16, 16), dtype=np.uint8)
    write_raw(frames, tmp_path / "raw")
    assert (tmp_path / "raw").read_bytes() == frames.tobytes()
    write_store(frames, tmp_path / "store", "none")
    assert sum(path.stat().st_size for path in (tmp_path / "store").rglob("*.h5")) > frames.nbytes


def test_figures_of_the_generator():
    times = {"ddim-1": [1.0], "ddim-8": [4.0], "decode": [1.0], "donor": [0.5], "reference": [100.0]}
    seconds = {name: np.array(part) for name, part in times.items()}
    one, eight, rate, share, donor = sampling_rows(seconds, 4, 8, CPU)
    assert (one.found.median, eight.found.median) == (0.25, 1.0) and eight.what == "a clip in 8 DDIM steps"
    assert rate.found.median == 1.0 and rate.verdict == SHORT and share.found.median == 25.0
    assert donor.found.median == 0.5
    faster = reference_row(seconds, 8, CPU)
    assert faster.found.median == 25 and faster.verdict == PASS
    assert reference_row(seconds, 8, torch.device("cuda")).verdict == SHORT
    del seconds["reference"]
    assert reference_row(seconds, 8, CPU).verdict == MISSING


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
    layouts = [
        net.denoiser.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last) for net in (plain, changed)
    ]
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
    VARIANTS["compile"][1](pipeline)
    codes = torch.zeros(1, 16, pipeline.transport.config["code_size"])
    pipeline(torch.zeros(1, 112, 112, dtype=torch.uint8), codes, num_inference_steps=1)
    assert called == {"Encoder", "Decoder", "UNetSpatioTemporalConditionModel", "Predictor"}


def test_variants_are_chosen_before_anything_is_measured():
    tables = ["store", "generator"]
    assert choose_variants(None, ["store"], CPU) == choose_variants([], ["store"], CPU) == []
    assert choose_variants("compile", tables, CPU) == ["compile"]
    assert choose_variants(["channels_last", "cuda_graphs"], tables, torch.device("cuda"))[1] == "cuda_graphs"
    with pytest.raises(EchoAugmentError, match=r"no variant 'fast'.*channels_last, compile, cuda_graphs"):
        choose_variants("compile,fast", tables, CPU)
    with pytest.raises(EchoAugmentError, match="cuda_graphs needs a GPU"):
        choose_variants(["cuda_graphs"], tables, CPU)
    with pytest.raises(EchoAugmentError, match=r"variants=\['compile'\] are rows of the table generator"):
        choose_variants("compile", ["store"], CPU)
