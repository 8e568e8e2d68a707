"""A trained segmenter: its folder brings back the very net, and a folder that does not says so."""

import json
import shutil

import cv2
import numpy as np
import pytest
from fakes.segmentation import root, trained  # noqa: F401

from echo_augment.augmentor.data import EchoNetDynamic, read_video
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.segmentation.teacher import load_segmenter
from echo_augment.training_recipes.segmentation.training import (
    TARGETS,
)


def test_the_teacher_draws_what_was_tested(trained, root, monkeypatch):
    _, out, result = trained
    teacher = load_segmenter(out)
    assert teacher.labelled == tuple(result.labelled)
    data = EchoNetDynamic(root, "test", TARGETS, length=1)
    row = data.rows[0]
    frames = read_video(row.path)[0]
    whole = teacher(frames)
    monkeypatch.setattr("echo_augment.training_recipes.segmentation.teacher.largest_piece", lambda masks: masks)
    masks = teacher(frames)
    assert masks.shape == frames.shape and masks.dtype == np.bool_
    assert not (whole & ~masks).any(), "a piece of what the net drew"
    ed = data.frames[row.file_name][-1]
    true = data[0][1][2] > 0
    found = 2 * (masks[ed] & true).sum() / max(1, masks[ed].sum() + true.sum())
    assert found == pytest.approx(result.predictions[row.name]["dice_ed"], abs=0.01)
    halved = np.stack([cv2.resize(frame, (56, 56)) for frame in frames[:2]])
    assert teacher(halved).shape == (2, 56, 56)
    with pytest.raises(EchoAugmentError, match="float"):
        teacher(frames.astype(float))


def test_a_folder_without_a_whole_segmenter_says_so(trained, tmp_path):
    _, out, _ = trained
    with pytest.raises(EchoAugmentError, match=r"segmenter\.json: is missing"):
        load_segmenter(tmp_path)
    bad = tmp_path / "bad"
    shutil.copytree(out, bad)
    weights = bad / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(EchoAugmentError, match="bad"):
        load_segmenter(bad)
    card = json.loads((out / "segmenter.json").read_text())
    (bad / "segmenter.json").write_text(json.dumps({**card, "format": 99}))
    with pytest.raises(EchoAugmentError, match="format 99"):
        load_segmenter(bad)


def test_a_segmenter_is_what_was_saved(trained):
    _, out, result = trained
    one, same = load_segmenter(out), load_segmenter(str(out))
    assert one.fingerprint == same.fingerprint != "" and one.size == (112, 112)
    card = json.loads((out / "segmenter.json").read_text())
    assert one.ef_bias == card["ef_bias"] and list(one.labelled) == result.labelled
    frames = np.random.default_rng(0).integers(0, 256, (40, 112, 112), dtype=np.uint8)
    np.testing.assert_array_equal(one(frames), same(frames))
    np.testing.assert_array_equal(one(frames)[33:35], one(frames[33:35]))


@pytest.mark.parametrize("shape", [(112, 112), (2, 3, 112, 112)])
def test_other_shapes_are_refused(trained, shape):
    with pytest.raises(EchoAugmentError, match=r"takes \(T, H, W\) uint8 frames, got"):
        load_segmenter(trained[1])(np.zeros(shape, np.uint8))
