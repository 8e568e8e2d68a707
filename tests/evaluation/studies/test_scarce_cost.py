"""What the label-scarce protocol costs, from timed steps."""

import json
from dataclasses import replace

import pytest
from fakes.benchmark import configure

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.studies import scarce_cost
from echo_augment.evaluation.studies.scarce_cost import (
    EXPERIMENTS,
    STEPS,
    EFSteps,
    settings_of,
    time_steps,
    work_of,
    write,
)

STAGES = {
    "codec": {"seconds": 0.5, "count": 7200, "hours": 1.0},
    "denoiser": {"seconds": 1.0, "count": 36000, "hours": 10},
}


def doctor(folder, device="some GPU"):
    training = {"device": device, "preset": "base", "precision": "bf16", "stages": STAGES}
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_text(json.dumps({"training": training}))
    (folder / STEPS).write_text(json.dumps({"device": "some GPU", "step": 0.36, "forward": 0.1}))
    return folder


def test_the_work_is_that_of_the_recipe_on_as_many_videos_as_the_data_set_has():
    full, short = (work_of(settings_of(name)) for name in ("echonet_label_scarce", "echonet_label_scarce_25"))
    settings = settings_of("echonet_label_scarce")
    assert full.trainings == len(settings.arm) * 5 * 3
    per_seed = 45 * (467 // 20 + 933 // 20 + 1866 // 20)
    assert full.steps == len(settings.arm) * 5 * per_seed
    assert short.steps * 45 == full.steps * 25
    whole = work_of(settings_of("echonet_label_scarce_val"))
    assert whole.steps == full.steps and whole.reads > full.reads, "the whole of VAL is read after every epoch"


def test_the_page_adds_generator_steps_and_reading(tmp_path):
    text = write(doctor(tmp_path / "cost"), tmp_path / "docs").read_text()
    assert "Hours of one some GPU" in text and "| together |  |  | 11.0 |" in text
    kept = json.loads((tmp_path / "docs" / "label-scarce-cost.json").read_text())
    assert set(kept["experiments"]) == set(EXPERIMENTS)
    one = kept["experiments"]["echonet_label_scarce_25"]
    assert one["hours"][0] == pytest.approx(one["steps"] * 0.36 / 3600)
    total = 11 + sum(one["hours"])
    assert f"| {total:.0f} |" in next(
        line for line in text.splitlines() if line.startswith("| echonet_label_scarce_25 |")
    )


def test_two_devices_or_no_forecast_are_refused(tmp_path):
    with pytest.raises(EchoAugmentError, match="timed on another GPU"):
        write(doctor(tmp_path / "cost", "another GPU"), tmp_path)
    with pytest.raises(EchoAugmentError, match="has no timed steps"):
        write(tmp_path, tmp_path)
    assert scarce_cost.main([str(tmp_path), str(tmp_path)]) == 1


def test_steps_are_timed_on_the_net_that_is_asked_for():
    settings = configure("out=y")
    small = replace(settings, trainer=replace(settings.trainer, length=2, batch_size=2))
    found = time_steps(small, "cpu", rounds=1)
    assert isinstance(found, EFSteps)
    assert found.device == "cpu"
    assert found.step > 0 and found.forward > 0
