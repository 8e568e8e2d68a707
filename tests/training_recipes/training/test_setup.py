import pytest
import torch

from echo_augment.evaluation.benchmark.job import notes_of
from echo_augment.training_recipes.training.setup import Arithmetic, arithmetic

CPU = torch.device("cpu")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_arithmetic_is_what_is_used(precision, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert arithmetic(precision, CPU) == Arithmetic(precision, "cpu", "AVX2")


@pytest.mark.parametrize(("native", "used"), [(True, "bf16"), (False, "fp32")])
def test_auto_says_what_it_came_to(native, used, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    assert arithmetic("auto", CPU).precision == used
    assert arithmetic("auto", torch.device("mps")) == Arithmetic("fp32", "mps", "mps")


def test_a_benchmark_says_if_its_trainings_were_computed_differently():
    one, other = str(Arithmetic("bf16", "cpu", "AVX512")), str(Arithmetic("fp32", "cpu", "AVX2"))
    assert notes_of({one: 4}) == []
    [note] = notes_of({one: 4, other: 2})
    assert "4 in bf16 on cpu (AVX512), 2 in fp32 on cpu (AVX2)" in note
    assert "1 in unknown" in notes_of({one: 4, "unknown": 1})[0]
