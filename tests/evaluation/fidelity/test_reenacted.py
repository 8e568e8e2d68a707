"""Re-enactment of a folder: videos that trained the generator are left out, and phantoms go through."""

import json
import shutil

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON, TrainingVideos
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.fidelity import job, reenacted
from echo_augment.evaluation.fidelity.settings import FidelitySettings
from echo_augment.training_recipes.common.settings import settings_from


def composed(*overrides):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return compose("fidelity", overrides=["data=echonet", "device=cpu", *overrides])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "set"
    return write_phantoms(folder, 3, num_frames=100, workers=1, splits=(0.34, 0.66, 0))


def test_videos_that_trained_the_generator_are_left_out_whatever_their_name(root, tmp_path):
    rows = read_table(root).split("all")
    other = tmp_path / "other.avi"
    shutil.copy(rows[0].path, other)
    TrainingVideos.of([other]).write(tmp_path)
    kept, trained = reenacted.unseen(rows, tmp_path)
    assert [row.name for row in kept] == [row.name for row in rows[1:]] and trained == 1
    (tmp_path / TRAINED_ON).unlink()
    assert reenacted.unseen(rows, tmp_path) == (rows, 0)


def test_a_split_that_trained_the_generator_is_refused_with_its_remedy(root, monkeypatch):
    monkeypatch.setattr(reenacted, "unseen", lambda rows, folder: ([], len(rows)))
    settings = settings_from(composed(f"data.root={root}", "data.split=TRAIN", "out=x"), FidelitySettings)
    with pytest.raises(EchoAugmentError, match=r"all 1 videos of split TRAIN trained .*data.split=VAL"):
        reenacted.judge_videos(settings, None, None, None)


def test_a_folder_is_reported_with_rows_pairs_and_pictures(root, tmp_path):
    job.run(composed(f"data.root={root}", f"out={tmp_path}", "curve=[1]", "shown=2"))
    report = json.loads((tmp_path / "report.json").read_text())
    found = report["reenactment"]
    assert len(found["videos"]) == 2 and found["split"] == "VAL" and found["fewest_steps"] is None
    assert list(found["rows"]) == ["still", "warp", "codec", "steps-0", "steps-1"]
    assert found["rows"]["still"]["explained"] == {"mean": pytest.approx(0, abs=1e-6), "ci": None}
    assert found["rows"]["steps-1"]["steps"] == 1 and found["rows"]["steps-1"]["frechet"] >= 0
    assert 0 <= found["pairs"]["reid_nearest"] <= 1 and found["pairs"]["ef_gap"] is None
    assert all((tmp_path / name).stat().st_size for name in ("contact_sheet.png", "pairs.png", "videos.gif"))
    assert "own motion on the own ED frame\n2 videos of split VAL" in (tmp_path / "fidelity.md").read_text()


def test_no_video_gives_its_motion_to_itself(monkeypatch):
    class One:
        def __init__(self, number):
            self.codes, self.reference, self.clip = number, np.full((2, 2), number), np.full((3, 2, 2), number)

    asked = {}

    def generate(_pipeline, references, codes, _sampling):
        asked.update(references=references, codes=codes)
        return type("Made", (), {"clips": np.zeros((5, 3, 2, 2), np.uint8)})

    monkeypatch.setattr(reenacted, "generate", generate)
    found = reenacted.make_pairs(None, [One(i) for i in range(5)], type("Sampling", (), {"seed": 0}))
    assert sorted(found.donor) == list(range(5)) and all(found.donor != np.arange(5))
    assert asked["codes"] == list(found.donor) and [one[0, 0] for one in asked["references"]] == list(range(5))
    assert (found.motion[:, 0, 0, 0] == found.donor).all()
