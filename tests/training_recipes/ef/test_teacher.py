"""Teachers: how they read clips of any form, and which folders are none."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from fakes.fill import READER, Brightness, grey
from hydra import compose, initialize_config_module

from echo_augment.augmentor.data import content_hash, probe_video, read_table, read_video
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON
from echo_augment.cache import EchoAugmentError, EchoClip
from echo_augment.training_recipes.ef.teacher import Teacher
from echo_augment.training_recipes.jobs.train_ef import run as train_ef_job


def test_a_teacher_reads_a_clip_of_any_rate_and_size():
    teacher = Teacher(Brightness(), READER)
    ramp = np.repeat(np.arange(0, 80, 10, dtype=np.uint8), 16 * 16).reshape(8, 16, 16)
    same, half = EchoClip("a", ramp, 25.0), EchoClip("b", ramp[::2], 12.5)
    assert [video.shape for video in map(teacher.windows, (same, half))] == [(5, 3, 4, 16, 16), (2, 3, 4, 16, 16)]
    read = teacher([same, half, grey("c", 30, side=24)])
    assert read[0] == pytest.approx(35)  # windows 0-3 to 4-7, mean levels 15 to 55
    assert read[1] == pytest.approx(25)  # interpolated to 25 a second: 0, 10, 20, 30 and 20, 30, 40, 50
    assert read[2] == pytest.approx(30)
    assert len(teacher([])) == 0


def test_a_clip_shorter_than_the_teacher_s_window_is_an_error_with_the_remedy():
    with pytest.raises(EchoAugmentError, match=r"0\.16 s.*trainer\.length"):
        Teacher(Brightness(), READER)([grey("short", 9, frames=3)])


def test_a_folder_that_is_no_teacher_is_refused_with_the_remedy(root, teacher, tmp_path, monkeypatch):
    hashes = teacher / TRAINED_ON
    val = read_table(root).split("VAL")
    leak = {"first": [probe_video(val[1].path).first], "content": [content_hash(val[1].path)]}
    hashes.write_text(json.dumps(leak))
    with pytest.raises(EchoAugmentError, match="a VAL video trained the teacher"):
        Teacher.load(teacher, held_out=val)
    hashes.unlink()
    with pytest.raises(EchoAugmentError, match=r"training_hearts\.json.*again"):
        Teacher.load(teacher)
    hashes.write_text(json.dumps({"first": [], "content": []}))
    (teacher / "result.json").write_text("{}")
    with pytest.raises(EchoAugmentError, match="earlier version"):
        Teacher.load(teacher)
    (teacher / "result.json").write_text(json.dumps({"key": "k", "reader": {**asdict(READER), "fps": 0}}))
    with pytest.raises(EchoAugmentError, match="fps must be above 0"):
        Teacher.load(teacher)
    monkeypatch.undo()
    with pytest.raises(EchoAugmentError, match="is missing"):
        Teacher.load(tmp_path / "nowhere")


def test_train_ef_writes_a_teacher(root, tmp_path):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        overrides = ["trainer.steps=2", "trainer.length=6", "trainer.batch_size=4", "model.settings.widths=[2,2]"]
        overrides += [f"data.root={root}", f"out={tmp_path}", "val_at_least=1", "device=cpu", "trainer.precision=fp32"]
        train_ef_job(compose("train-ef", overrides))
    val = read_table(root).split("VAL")
    teacher = Teacher.load(tmp_path, held_out=val)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["reader"]["fps"] == 50 and result["reader"]["size"] == [112, 112]
    row = read_table(root).split("TEST")[0]
    frames, fps = read_video(row.path)
    read = teacher([EchoClip(row.name, frames, fps)])[0]
    assert read == pytest.approx(result["predictions"][row.name][1], abs=0.01), "the same windows, normalised alike"
