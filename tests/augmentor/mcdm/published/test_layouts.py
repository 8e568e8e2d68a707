"""Where published weights are looked for, and what their makers' scripts set."""

import pytest
from fakes.published import WEIGHTS, write_layout

from echo_augment.augmentor.mcdm.published.layouts import LAYOUTS, find_weights, published_scheduler
from echo_augment.cache import EchoAugmentError


def test_the_scheduler_is_the_published_one():
    scheduler = published_scheduler()
    wanted = {
        "num_train_timesteps": 1000,
        "beta_start": 1e-4,
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "variance_type": "fixed_small",
        "prediction_type": "v_prediction",
        "clip_sample": True,
        "clip_sample_range": 4.0,
        "timestep_spacing": "leading",
        "steps_offset": 0,
        "thresholding": False,
    }
    assert {key: scheduler.config[key] for key in wanted} == wanted
    scheduler.set_timesteps(128)
    assert int(scheduler.timesteps[0]) == 889 and int(scheduler.timesteps[-1]) == 0


def test_both_folders_are_found(tmp_path):
    root = write_layout(tmp_path, unet="unet_ema")
    assert find_weights(str(root), LAYOUTS["mcdm"]) == (root / "vae", root / "unet_ema")


def test_the_averaged_weights_go_before_the_last_ones(tmp_path):
    root = write_layout(tmp_path, unet="unet")
    write_layout(tmp_path, unet="unet_ema")
    assert find_weights(str(root), LAYOUTS["mcdm"])[1].name == "unet_ema"


@pytest.mark.parametrize("missing", [f"vae/{WEIGHTS}", "lvdm/config.json"])
def test_the_first_missing_file_is_named(tmp_path, missing):
    root = write_layout(tmp_path)
    (root / missing).unlink()
    with pytest.raises(EchoAugmentError, match=f"{missing} is missing"):
        find_weights(str(root), LAYOUTS["echonet-synthetic"])


def test_neither_a_folder_nor_a_hub_id():
    with pytest.raises(EchoAugmentError, match=r"data=no/such/folder: .* it is no Hub id"):
        find_weights("no/such/folder", LAYOUTS["mcdm"])


def test_the_hub_is_asked_for_the_layouts_files_alone(tmp_path, monkeypatch):
    root, asked = write_layout(tmp_path), []

    def download(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        return str(root)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert find_weights("hub:owner/name", LAYOUTS["echonet-synthetic"])[0] == root / "vae"
    assert asked == [("owner/name", [f"{one}/{file}" for one in ("vae", "lvdm") for file in ("config.json", WEIGHTS)])]


def test_a_hub_that_does_not_answer_is_one_error(monkeypatch):
    def refuse(*_: object, **__: object) -> str:
        raise OSError("no route\nto host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(EchoAugmentError, match=r"the Hub does not give it \(no route\)"):
        find_weights("owner/name", LAYOUTS["mcdm"])
