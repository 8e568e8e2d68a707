"""The record of what trained a model: written, read, added up, and held against VAL and TEST."""

import json

import pytest

from echo_augment.augmentor.data import content_hash, probe_video, read_table
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON, TrainingVideos, refuse_trained_on
from echo_augment.cache import EchoAugmentError


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    root = write_phantoms(
        tmp_path_factory.mktemp("data") / "phantom", 4, seed=5, workers=1, splits=(0.5, 0.25, 0.25), format=2
    )
    return [row for row in read_table(root).rows if row.split != "TRAIN"]


def test_the_record_keeps_its_form(held_out, tmp_path):
    path = held_out[0].path
    record = TrainingVideos.of([path])
    record.write(tmp_path)
    written = json.loads((tmp_path / "training_hearts.json").read_text())
    assert written == {"first": [probe_video(path).first], "content": [content_hash(path)]}
    assert TrainingVideos.read(tmp_path / TRAINED_ON) == record


def test_a_model_that_a_held_out_video_trained_is_refused(held_out, tmp_path):
    TrainingVideos().write(tmp_path)
    refuse_trained_on(tmp_path, held_out)
    TrainingVideos.of([held_out[1].path]).write(tmp_path)
    with pytest.raises(EchoAugmentError, match=f"{held_out[1].name}.*trained the teacher {tmp_path}.*another teacher"):
        refuse_trained_on(tmp_path, held_out, what="teacher")


def test_a_model_without_a_record_passes_unless_it_must_have_one(held_out, tmp_path):
    refuse_trained_on(tmp_path, held_out)
    with pytest.raises(EchoAugmentError, match=r"segmenter .*: there is no training_hearts\.json.*Train it again"):
        refuse_trained_on(tmp_path, held_out, what="segmenter", if_missing="Train it again")


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b'{"first": 1, "content": []}', b"\xff"])
def test_a_damaged_record_is_named(tmp_path, content):
    (tmp_path / TRAINED_ON).write_bytes(content)
    with pytest.raises(EchoAugmentError, match=r"training_hearts\.json: does not say which videos"):
        refuse_trained_on(tmp_path, [])
