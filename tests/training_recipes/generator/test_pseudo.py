"""Pseudo labels: each training video's flow and embeddings, as its own frames give them; none of watched videos."""

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
from echo_augment.training_recipes.generator.pseudo import PseudoLabels, video_flow, write_pseudo


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


def test_a_killed_stage_leaves_no_file(tmp_path):
    class Broken(torch.nn.Module):
        device = torch.device("cpu")

        def forward(self, frames):
            raise KeyboardInterrupt

    data = write_hearts(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        write_pseudo(data, Broken(), tmp_path / "pseudo.h5")
    assert not list(tmp_path.glob("*pseudo*"))


def test_labels_are_read_as_numbers_of_half_precision(tmp_path):
    with h5py.File(tmp_path / "p.h5", "w") as file:
        for index in (1, 0, 10, 2, 3, 4, 5, 6, 7, 8, 9):
            file[f"flow/{index}"] = np.full((3, 2, 4, 4), index + np.arange(3)[:, None, None, None] / 8, np.float16)
            file[f"embedding/{index}"] = np.full((6, 2), index, np.float16)
    labels = PseudoLabels(tmp_path / "p.h5")
    assert labels.flow(10, 2).tolist() == np.full((2, 4, 4), 10.25).tolist(), "video 10 is not the second"
    assert labels.flow(10, 2).dtype == np.float32 and labels.embedding(2)[0].tolist() == [2.0, 2.0]
