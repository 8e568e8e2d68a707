"""Settings: every mistake is said in one line, with the nearest that exists."""

from dataclasses import dataclass, field

import pytest
import torch
from hydra.errors import HydraException
from omegaconf import MISSING, OmegaConf

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.cli import find_jobs
from echo_augment.training_recipes.common.settings import (
    JobSettings,
    check_device,
    group,
    object_from,
    said,
    settings_from,
    unknown_key,
)

JOBS = list(find_jobs())


@pytest.fixture(autouse=True)
def loaded():
    for entry in find_jobs().values():
        entry.load()


@pytest.mark.parametrize("device", ["gpu", "cuda:abc", "cuda:", "CPU", "cpu:0", "cuda:-1", "", "1"])
def test_devices_that_nobody_knows(device):
    with pytest.raises(EchoAugmentError, match="device must be auto, cpu, cuda, cuda:0 or mps, got"):
        JobSettings(out="o", device=device)


def test_devices_that_are_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for device in ("cuda", "cuda:0", "cuda:1"):
        with pytest.raises(EchoAugmentError, match=f"device={device}, but torch finds no CUDA device here.*device=cpu"):
            check_device(device)
    with pytest.raises(EchoAugmentError, match="no Apple GPU"):
        check_device("mps")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_device("cuda"), check_device("cuda:1"), check_device("auto"), check_device("cpu")
    with pytest.raises(EchoAugmentError, match="device=cuda:2, but torch finds 2 CUDA devices here"):
        check_device("cuda:2")


@dataclass(kw_only=True)
class Part:
    """A group of settings."""

    size: int = MISSING
    rate: int | float = 1


@dataclass(kw_only=True)
class Whole(JobSettings):
    """Settings of a job."""

    part: Part = field(default_factory=group(Part))
    names: list[str] = field(default_factory=list)
    note: str | None = None


GIVEN = {"out": "o", "part": {"size": 3}}


def test_plain_settings_become_dataclasses_with_their_groups():
    found = object_from({**GIVEN, "names": ["a"], "part": {"size": 3, "rate": 0.5}}, Whole)
    assert found == Whole(out="o", part=Part(size=3, rate=0.5), names=["a"]) and found.seed == 0
    assert settings_from(OmegaConf.create({**GIVEN, "note": "${out}!"}), Whole).note == "o!"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sed": 1}, r"there is no setting sed\. Did you mean seed\?"),
        ({"part": {"sise": 1}}, r"there is no setting part\.sise\. Did you mean part\.size\?"),
        ({"part": {"zzz": 1}}, r"there is no setting part\.zzz\. There are: size, rate"),
        ({"part": {"size": "many"}}, r"part\.size: value 'many' of type 'str' could not be converted to Integer"),
        ({"names": "a"}, "names: invalid value assigned"),
        ({"seed": -1}, r"seed must be a whole number of at least 0, got -1"),
        ({"device": "gpu"}, "device must be auto, cpu, cuda, cuda:0 or mps, got 'gpu'"),
        ({"note": "${nothing}"}, "nothing"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_setting(changes, message):
    with pytest.raises(EchoAugmentError, match=message) as found:
        object_from(GIVEN | changes, Whole)
    assert "\n" not in str(found.value)


def test_a_setting_without_a_value_is_not_made_up():
    with pytest.raises(EchoAugmentError, match="size"):
        object_from({"out": "o"}, Whole)


def test_the_nearest_setting_is_named_or_else_all():
    assert str(unknown_key("gates.quantil", ["quantile", "image"])).endswith("Did you mean gates.quantile?")
    assert str(unknown_key("gates.xyz", ["quantile", "image"])).endswith("There are: quantile, image")
    assert str(unknown_key("xyz", [])) == "there is no setting xyz"


def test_a_home_folder_in_quotes_and_signs_that_hydra_does_not_read():
    with pytest.raises(EchoAugmentError, match=r"out=~/x: only a shell knows ~. Give the whole path"):
        JobSettings(out="~/x")
    told = said(HydraException("LexerNoViableAltException: seed=é"))
    assert str(told) == """seed=é: has a sign that Hydra reads in quotes only. Give 'seed="é"'"""
    with pytest.raises(EchoAugmentError, match=r"sizes: .*is not a ListConfig.* Give a list: sizes=\[...\]"):
        object_from({"out": "o", "sizes": 3}, Sizes)


@dataclass(kw_only=True)
class Sizes(JobSettings):
    """A list of numbers."""

    sizes: list[int] = field(default_factory=list)
