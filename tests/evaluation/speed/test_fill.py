"""The table fill: processes against each other, and what is written."""

import numpy as np
import pytest

from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.evaluation.speed import fill
from echo_augment.evaluation.speed.fill import process_row, time_fill, write_raw, write_store
from echo_augment.evaluation.speed.rows import PASS


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
