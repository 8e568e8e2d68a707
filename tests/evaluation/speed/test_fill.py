import pytest

from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.evaluation.speed.fill import time_fill


def test_two_processes_fill_almost_twice_as_fast(tmp_path):
    """The speed job measures it at length; here the wait is long enough for a busy machine."""
    one, two = (time_fill(processes, 8, 0.5, tmp_path / str(processes)) for processes in (1, 2))
    assert one > 4 and 2 <= two < 0.8 * one
    assert ClipStore(tmp_path / "1").ids[:] == ClipStore(tmp_path / "2").ids[:] and len(ClipStore(tmp_path / "1")) == 8


@pytest.mark.parametrize("arguments", [(0, 4, 0.0), (2, 1, 0.0), (1, 4, -1.0)])
def test_arguments_out_of_range(tmp_path, arguments):
    with pytest.raises(EchoAugmentError, match="got"):
        time_fill(*arguments, tmp_path)


def test_a_folder_that_holds_a_cache(tmp_path):
    (tmp_path / "plan.jsonl").touch()
    with pytest.raises(EchoAugmentError, match="holds a cache already"):
        time_fill(1, 4, 0.0, tmp_path)
