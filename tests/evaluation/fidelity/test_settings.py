"""Settings of the fidelity job: what is mistyped or out of range is refused before any work."""

import pytest
from hydra import compose, initialize_config_module

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.fidelity import job
from echo_augment.evaluation.fidelity.settings import FidelitySettings, ReaderSettings, TracedSettings
from echo_augment.training_recipes.common.settings import settings_from


def settings(*overrides):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return settings_from(compose("fidelity", overrides=["out=somewhere", *overrides]), job.FidelitySettings)


def test_the_defaults_of_the_file_are_those_of_the_dataclass():
    assert settings() == FidelitySettings(out="somewhere")


def test_lists_and_groups_arrive_typed():
    found = settings("curve=[1,4]", "amplitude=[1,0.8]", "guidance=null", "reader.clips=10", "data.root=there")
    assert found.curve == [1, 4] and found.amplitude == [1.0, 0.8] and found.guidance is None
    assert found.reader.clips == 10 and found.data.root == "there"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("pairs=1", "pairs must be a whole number of at least 2, got 1"),
        ("seed=1000", "pairs=200 of seed=1000: their phantoms would be another run's"),
        ("sampler=dim", r"sampler must be one of ddim, ddpm, dpm, got 'dim'\. Did you mean ddim"),
        ("steps=-1", "steps must be a whole number of at least 0, got -1"),
        ("curve=[1,-1]", "curve must be a whole number of at least 0, got -1"),
        ("shown=0", "shown must be a whole number of at least 1, got 0"),
        ("training_hearts=7", "training_hearts must be a whole number of at least 8, got 7"),
        ("reader.steps=0", r"reader\.steps must be a whole number of at least 1, got 0"),
        ("data.limit=0", r"data\.limit must be a whole number of at least 1, got 0"),
        ("amplitude=[nan]", "amplitude must be a number, got nan"),
    ],
)
def test_a_value_out_of_range_is_named(override, said):
    with pytest.raises(EchoAugmentError, match=said):
        settings(override)


@pytest.mark.parametrize("key", ["amplitude", "guidance"])
def test_a_label_cannot_be_calibrated_on_few_pairs(key):
    with pytest.raises(EchoAugmentError, match=r"pairs=7 are too few\. Take 8 or more"):
        settings("pairs=7", f"{key}=[1.5]")


@pytest.mark.parametrize("override", ["amplitude=1.2", "amplitude=[a]", "pairs=many", "reader.clip=5", "reader=5"])
def test_what_hydra_can_check_never_reaches_the_job(override):
    with pytest.raises(Exception, match=override.split("=")[0].split(".")[0]):
        settings(override)


def test_what_is_measured_on_phantom_pairs_alone_is_refused_for_videos(tmp_path):
    data = TracedSettings(name="echonet", root=str(tmp_path))
    for given in ({"amplitude": [1.0]}, {"guidance": [1.5]}, {"training": str(tmp_path)}):
        with pytest.raises(EchoAugmentError, match=f"{next(iter(given))} is measured on phantom pairs"):
            FidelitySettings(out="x", data=data, **given)
    assert FidelitySettings(out="x", data=data, reader=ReaderSettings(teacher="t")).reader.teacher == "t"
