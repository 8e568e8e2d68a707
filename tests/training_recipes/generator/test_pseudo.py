"""Pseudo labels: each training video's flow and embeddings, as its own frames give them; none of watched videos."""

import mmap
import shutil

import h5py
import numpy as np
import pytest
import torch
from fakes.hearts import LENGTH, write_hearts

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.mcdm.flow import shrink_flow
from echo_augment.augmentor.mcdm.motion import estimated_flows
from echo_augment.augmentor.mcdm.phase import make_heart
from echo_augment.augmentor.mcdm.reid import ReIDEncoder
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common import parts
from echo_augment.training_recipes.common.parts import Crew
from echo_augment.training_recipes.common.ranks import Share
from echo_augment.training_recipes.generator import pseudo
from echo_augment.training_recipes.generator.pseudo import PseudoLabels, embeddings, video_flow, write_pseudo


@pytest.fixture(scope="module")
def reid():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return ReIDEncoder(8, 5).eval()


def test_each_training_video_has_its_own_labels(tmp_path, reid):
    data = write_hearts(tmp_path)
    write_pseudo(data, reid, tmp_path / "pseudo.h5", batch=3)
    labels = PseudoLabels(tmp_path / "pseudo.h5")
    assert len(labels.flows) == len(data.training) == 4
    assert {flow.shape for flow in labels.flows} == {(LENGTH // 2, 2, 28, 28)}
    for index, heart in enumerate(data.training):
        frames = torch.from_numpy(heart.frames.copy())[:, None].float() / 255
        with torch.no_grad():
            wanted = reid(frames).numpy()
        np.testing.assert_allclose(labels.embedding(index), wanted, atol=2e-3)
        assert labels.embedding(index).shape == (LENGTH, 5) and labels.embedding(index).dtype == np.float32
    assert not np.allclose(labels.embedding(0), labels.embedding(3), atol=1e-3)
    with h5py.File(tmp_path / "pseudo.h5") as file:
        assert file.attrs["teacher"] == "opencv-dis-medium" and set(file) == {"flow", "embedding"}


def test_the_flow_is_the_estimator_s_from_the_ed_frame(tmp_path, reid):
    phantom = sample_phantom(3, format=2)
    clip = render(phantom.motion, phantom.appearance, seed=3)
    heart = make_heart(phantom.name, clip.frames, clip.fps, rate=12.5, size=112)
    flow = video_flow(heart)
    assert flow.shape == (len(heart.grid), 2, 28, 28) and flow.dtype == np.float16
    still = int(np.flatnonzero(heart.grid == heart.ed)[0])
    assert np.abs(flow[still]).max() == 0, "the ED frame has not moved"
    assert np.abs(flow).max() > 1, "pixels of the full frame"
    np.testing.assert_array_equal(flow, shrink_flow(estimated_flows(heart)).astype(np.float16))


def test_a_killed_stage_goes_on_with_the_next_part(tmp_path, reid, monkeypatch):
    class Broken(torch.nn.Module):
        device = torch.device("cpu")

        def forward(self, frames):
            raise KeyboardInterrupt

    monkeypatch.setattr(parts, "PART", 3)
    data = write_hearts(tmp_path)
    write_pseudo(data, reid, tmp_path / "whole.h5")
    with pytest.raises(KeyboardInterrupt):
        write_pseudo(data, Broken(), tmp_path / "pseudo.h5")
    assert not (tmp_path / "pseudo.h5").exists() and list((tmp_path / "pseudo.parts").iterdir()) == []
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(
            pseudo, "embeddings", lambda reid, heart, batch: embeddings(BY_NAME[heart.name](reid), heart, batch)
        )
        BY_NAME = {
            heart.name: (lambda reid: reid) if k < 3 else (lambda _: Broken()) for k, heart in enumerate(data.videos)
        }
        write_pseudo(data, reid, tmp_path / "pseudo.h5")
    assert [path.name for path in (tmp_path / "pseudo.parts").iterdir()] == ["00000000.h5"]
    seen = []
    monkeypatch.setattr(pseudo, "video_flow", lambda heart: seen.append(heart.name) or video_flow(heart))
    write_pseudo(data, reid, tmp_path / "pseudo.h5")
    assert seen == ["h3"] and not (tmp_path / "pseudo.parts").exists()
    one, other = PseudoLabels(tmp_path / "whole.h5"), PseudoLabels(tmp_path / "pseudo.h5")
    for video in range(4):
        assert np.array_equal(one.flows[video], other.flows[video])
        assert np.array_equal(one.embedding(video), other.embedding(video))


def test_processes_share_the_labels(tmp_path, reid, monkeypatch):
    monkeypatch.setattr(parts, "PART", 1)
    data, shared = write_hearts(tmp_path), tmp_path / "pseudo.h5"
    write_pseudo(data, reid, tmp_path / "alone.h5")

    class Arrived(BaseException):
        pass

    def arrive():
        raise Arrived

    with pytest.raises(Arrived):
        write_pseudo(data, reid, shared, crew=Crew(Share(1, 2), arrive))
    assert sorted(path.name for path in (tmp_path / "pseudo.parts").iterdir()) == ["00000001.h5", "00000003.h5"]
    write_pseudo(data, reid, shared, crew=Crew(Share(0, 2)))
    one, other = PseudoLabels(tmp_path / "alone.h5"), PseudoLabels(shared)
    assert all(np.array_equal(one.flows[v], other.flows[v]) for v in range(4))


def test_a_lost_part_is_named(tmp_path, reid, monkeypatch):
    data = write_hearts(tmp_path)
    with pytest.raises(
        EchoAugmentError, match=r"00000000\.h5: cannot be read .*Delete .*pseudo\.parts and start again"
    ):
        write_pseudo(
            data, reid, tmp_path / "pseudo.h5", crew=Crew(Share(0, 2), lambda: shutil.rmtree(tmp_path / "pseudo.parts"))
        )
    assert not (tmp_path / "pseudo.h5").exists()


def test_labels_are_read_where_they_lie(tmp_path, reid):
    data = write_hearts(tmp_path)
    write_pseudo(data, reid, tmp_path / "pseudo.h5")
    labels = PseudoLabels(tmp_path / "pseudo.h5")
    for array in labels.flows:
        while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
            array = array.base
        assert isinstance(array, (np.memmap, mmap.mmap)), "no copy in memory"
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_dataset("flow/0", data=np.arange(32.0).reshape(1, 2, 4, 4), chunks=(1, 1, 4, 4), compression="gzip")
        file["embedding/0"] = np.ones((2, 2), np.float32)
    other = PseudoLabels(tmp_path / "other.h5")
    assert other.flow(0, 0).ravel().tolist() == list(range(32)) and other.embedding(0).tolist() == [[1, 1], [1, 1]]


def test_labels_are_read_as_numbers_of_half_precision(tmp_path):
    with h5py.File(tmp_path / "p.h5", "w") as file:
        for index in (1, 0, 10, 2, 3, 4, 5, 6, 7, 8, 9):
            file[f"flow/{index}"] = np.full((3, 2, 4, 4), index + np.arange(3)[:, None, None, None] / 8, np.float16)
            file[f"embedding/{index}"] = np.full((6, 2), index, np.float16)
    labels = PseudoLabels(tmp_path / "p.h5")
    assert labels.flow(10, 2).tolist() == np.full((2, 4, 4), 10.25).tolist(), "video 10 is not the second"
    assert labels.flow(10, 2).dtype == np.float32 and labels.embedding(2)[0].tolist() == [2.0, 2.0]
