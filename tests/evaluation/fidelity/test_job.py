"""The swap test and the image distances: what they say of cases with a known answer."""

from types import SimpleNamespace

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.fidelity import job as fidelity
from echo_augment.evaluation.fidelity.adherence import adherence


@pytest.fixture
def efs():
    rng = np.random.default_rng(0)
    return rng.normal(56, 12, 400), rng.normal(56, 12, 400), rng.normal(0, 3, 400)


def test_a_faithful_generator_has_motion_weight_one(efs):
    motion, appearance, noise = efs
    figures = adherence(motion + noise, motion, appearance)
    assert figures["motion_weight"] == pytest.approx(1, abs=0.05)
    assert figures["appearance_weight"] == pytest.approx(0, abs=0.05)
    assert figures["r2"] > 0.9 and figures["mae"] == pytest.approx(3 * np.sqrt(2 / np.pi), abs=0.3)


def test_a_copier_of_the_appearance_donor_is_found_out(efs):
    motion, appearance, noise = efs
    figures = adherence(appearance + noise, motion, appearance)
    assert figures["appearance_weight"] > 0.9 and abs(figures["motion_weight"]) < 0.1 and figures["r2"] < 0


def test_a_still_clip_reads_the_same_ef_for_all(efs):
    figures = adherence(np.full(400, 30.0), efs[0], efs[1])
    assert figures["r"] == 0 and figures["r2"] < 0 and figures["bias"] < -20


def test_a_curve_takes_what_was_generated_before(monkeypatch):
    truth = np.random.default_rng(0).integers(0, 255, (6, 2, 16, 16)).astype(np.uint8)
    ef, asked = np.linspace(30, 70, 6), []
    pairs = SimpleNamespace(clips={"counterfactual": truth}, references=None, codes=None, ef_motion=ef, ef_look=ef % 7)

    def generate(pipeline, references, codes, *, steps, sampler, seed):
        asked.append(steps)
        return truth ^ 8, None, 2.0

    monkeypatch.setattr(fidelity, "generate", generate)
    monkeypatch.setattr(fidelity, "read_ef", lambda reader, clips: ef + float(clips[0, 0, 0, 0] == truth[0, 0, 0, 0]))
    done = {0: (truth ^ 1, 1.0), 9: (truth, 9.0)}
    none, one = fidelity.step_curve(None, None, pairs, [0, 1], "ddim", 0, done)
    assert asked == [1] and (none["seconds"], one["seconds"]) == (1.0, 2.0) and none["psnr"] > one["psnr"]


@pytest.mark.parametrize("key", ["training", "data.root", "segmenter"])
def test_a_folder_that_is_needed_late_is_looked_at_first(tmp_path, monkeypatch, key):
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(fidelity, "get_reader", lambda *_, **__: pytest.fail("minutes of work begun"))
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("fidelity", overrides=[f"out={tmp_path / 'out'}", f"{key}={tmp_path / 'empty'}"])
    with pytest.raises(EchoAugmentError, match=str(tmp_path / "empty")):
        fidelity.run(cfg)


@pytest.mark.parametrize("setting", ["steps=-1", "curve=[1,-1]"])
def test_too_few_steps_are_refused_before_anything_is_measured(tmp_path, monkeypatch, setting):
    monkeypatch.setattr(fidelity, "get_reader", lambda *_, **__: pytest.fail("minutes of work begun"))
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("fidelity", overrides=[f"out={tmp_path / 'out'}", setting])
    with pytest.raises(EchoAugmentError, match=r"-1.*generator bundled takes 0 or more"):
        fidelity.run(cfg)
