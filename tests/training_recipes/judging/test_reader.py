"""The EF reader: the bundled one reads phantoms it never saw, another is trained where that does not serve."""

import dataclasses

import numpy as np
import pytest
import torch

from echo_augment.cache import EchoAugmentError, EchoClip
from echo_augment.training_recipes.judging import reader
from echo_augment.training_recipes.judging.reader import (
    BUNDLED,
    NAME,
    ReaderTraining,
    get_reader,
    load_reader,
    reading_loss,
)
from echo_augment.training_recipes.judging.reader_net import Readings, render_one

WANTED = ReaderTraining(clips=6000, steps=5000, num_frames=16, fps=12.5, image_size=112, seed=3)
SMALL = ReaderTraining(clips=8, steps=2, num_frames=8, fps=25.0, image_size=64, seed=0)


@pytest.fixture
def untrained(monkeypatch):
    monkeypatch.setattr(reader, "train_reader", lambda *_: pytest.fail("half an hour of work begun"))


@pytest.fixture
def noise(monkeypatch):
    """Noise in place of phantoms, whose rendering takes processes of its own."""

    def make(count, frames, rate, size, first, what):
        rng = np.random.default_rng([first, count])
        drawn = rng.integers(0, 255, (count, frames, size, size), np.uint8), rng.uniform(20, 80, count).astype("f4")
        return Readings(*map(torch.from_numpy, (*drawn, rng.uniform(0.3, 1, (count, frames)).astype("f4"))))

    monkeypatch.setattr(reader, "render_many", make)


def test_the_bundled_reader_reads_other_phantoms_as_well_as_it_says(untrained, tmp_path, capsys):
    found = get_reader(None, tmp_path, WANTED)
    assert found.quality.r2 > 0.95 and "bundled" in capsys.readouterr().out and not list(tmp_path.iterdir())
    clips, ef, _ = zip(*(render_one(seed, 16, 12.5, 112) for seed in range(777_000, 777_030)), strict=True)
    read = found.read(np.stack(clips))
    assert np.abs(read - ef).mean() < 2 * found.quality.mae and np.corrcoef(read, ef)[0, 1] > 0.9
    as_clips = [EchoClip(f"c{k}", frames, 12.5) for k, frames in enumerate(clips[:3])]
    assert found(as_clips) == pytest.approx(read[:3], abs=1e-3) and found([]).shape == (0,)


@pytest.mark.parametrize(
    ("change", "serves"),
    [
        ({}, True),
        ({"seed": 9}, True),
        ({"clips": 10}, True),
        ({"clips": 6001}, False),
        ({"steps": 5001}, False),
        ({"num_frames": 32}, False),
        ({"fps": 25.0}, False),
        ({"image_size": 64}, False),
    ],
)
def test_a_reader_serves_who_asks_for_such_clips_and_no_more_learning(change, serves):
    assert WANTED.serves(dataclasses.replace(WANTED, **change)) is serves


def test_one_is_trained_where_the_bundled_does_not_serve_and_kept(tmp_path, monkeypatch, noise):
    trained = get_reader(None, tmp_path, SMALL)
    assert trained.quality.training == SMALL and (tmp_path / NAME).is_file()
    assert not list(tmp_path.glob("*.ckpt"))
    monkeypatch.setattr(reader, "train_reader", lambda *_: pytest.fail("trained twice"))
    again = get_reader(tmp_path, tmp_path / "out", SMALL)
    clips = np.random.default_rng(0).integers(0, 255, (2, 8, 64, 64), np.uint8)
    assert again.quality == trained.quality and np.array_equal(trained.read(clips), again.read(clips))


def test_a_kept_reader_that_learned_less_or_other_clips_is_refused(tmp_path, noise):
    get_reader(tmp_path, tmp_path, SMALL)
    with pytest.raises(
        EchoAugmentError, match=r"was trained as 8 clips of 8 frames of 64 pixels at 25 .*; asked for is 9 clips"
    ):
        get_reader(tmp_path, tmp_path / "out", dataclasses.replace(SMALL, clips=9))
    with pytest.raises(EchoAugmentError, match=r"asked for is 8 clips of 16 frames"):
        get_reader(tmp_path, tmp_path / "out", dataclasses.replace(SMALL, num_frames=16))


def test_a_checkpoint_of_another_training_is_not_gone_on_with(tmp_path, monkeypatch, noise):
    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reader, "read_ef", stop)  # killed after the steps, before the reader is kept
        with pytest.raises(KeyboardInterrupt):
            get_reader(tmp_path, tmp_path, dataclasses.replace(SMALL, seed=20_261_123))
    assert len(list(tmp_path.glob("*.ckpt"))) == 1 and not (tmp_path / NAME).exists()
    other = get_reader(tmp_path, tmp_path, dataclasses.replace(SMALL, seed=20_261_124))
    fresh = get_reader(tmp_path / "fresh", tmp_path, dataclasses.replace(SMALL, seed=20_261_124))
    for one, two in zip(other.net.parameters(), fresh.net.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("damage", [lambda data: data[:200], lambda _: b"", lambda data: data[:-1000]])
def test_a_damaged_reader_is_named(tmp_path, damage):
    (tmp_path / NAME).write_bytes(damage((BUNDLED / NAME).read_bytes()))
    with pytest.raises(EchoAugmentError, match=rf"{NAME}: is no EF reader of this version"):
        load_reader(tmp_path / NAME)


def test_the_loss_is_nothing_for_one_who_reads_right():
    batch = Readings(torch.zeros(2, 3, 8, 8), torch.tensor([50.0, 60.0]), torch.tensor([[1.0, 0.5, 0.7]] * 2))
    assert reading_loss(lambda _: (batch.ef, batch.volumes), batch)["loss"] == 0
    off = reading_loss(lambda _: (batch.ef + 10, batch.volumes + 0.1), batch)
    assert off["ef"] == pytest.approx(10 - 1.5) and off["volumes"] == pytest.approx(10 - 1.5, rel=1e-4)
