"""Videos whose brightness, latents and flows tell which they are, as the transport learns from them."""

import json

import h5py
import numpy as np
import pytest
import torch

from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.training_recipes.generator.codec import Latents
from echo_augment.training_recipes.generator.motions import Motions
from echo_augment.training_recipes.generator.prepare import prepare
from echo_augment.training_recipes.generator.pseudo import PseudoLabels

HEARTS, LENGTH = 6, 8


@pytest.fixture
def motions(tmp_path):
    """Hearts of 8 frames whose brightness, latents and flows tell which heart and frame they are."""
    frames = np.zeros((HEARTS * LENGTH, 112, 112), np.uint8)
    latents = np.zeros((HEARTS * LENGTH, 4, 14, 14), np.float16)
    flows = np.zeros((HEARTS * LENGTH // 2, 2, 28, 28), np.float16)
    rows = []
    for heart in range(HEARTS):
        start = heart * LENGTH
        frames[start : start + LENGTH] = 20 * (heart + 1)
        for t in range(0, LENGTH, 2):
            frames[start + t] += t
            latents[start + t] = heart + t
            flows[(start + t) // 2] = heart + t / 16
        rows.append({"name": f"h{heart}", "start": start, "length": LENGTH, "ed": 0, "es": 4})
    np.save(tmp_path / "frames.npy", frames)
    np.save(tmp_path / "latents.npy", latents)
    np.save(tmp_path / "flows.npy", flows)
    table = {"hearts": rows, "hashes": {"first": [], "content": []}, "skipped": []}
    (tmp_path / "hearts.json").write_text(json.dumps(table))
    with h5py.File(tmp_path / "pseudo.h5", "w") as file:
        for heart in range(4):
            file.create_dataset(f"flow/{heart}", data=flows[heart * LENGTH // 2 : (heart + 1) * LENGTH // 2])
            file.create_dataset(f"embedding/{heart}", data=np.zeros((LENGTH, 2), np.float16))
    data = prepare([], tmp_path, rate=12.5, size=112, monitor=0.34)
    labels = PseudoLabels(tmp_path / "pseudo.h5")
    return Motions(data, Latents(data, tmp_path / "latents.npy"), tmp_path / "flows.npy", labels)


@pytest.fixture
def with_mafe(motions):
    """The same without flows, and a MAFE that reads the motion of the copies."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        mafe = MAFE(8, (1, 1, 1, 1, 1), (2, 4)).eval()
    return Motions(motions.data, motions.latents, None, motions.labels), mafe
