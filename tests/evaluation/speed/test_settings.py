"""Settings of the speed job: what is mistyped or out of range is refused before any work."""

import pytest
from hydra import compose, initialize_config_module

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.speed import job
from echo_augment.evaluation.speed.settings import TABLES, SpeedSettings, choose_tables, choose_variants
from echo_augment.training_recipes.common.settings import settings_from


def settings(*overrides):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return settings_from(compose("speed", overrides=["out=somewhere", *overrides]), job.SpeedSettings)


def test_the_defaults_of_the_file_are_those_of_the_dataclass():
    assert settings() == SpeedSettings(out="somewhere") and settings().tables == list(TABLES)


@pytest.mark.parametrize(
    "wanted, names",
    [
        ("all", list(TABLES)),
        ("fill", ["fill"]),
        ("loader,store", ["store", "loader"]),
        (["live"], ["live"]),
    ],
)
def test_tables_are_chosen(wanted, names):
    assert choose_tables(wanted) == names


@pytest.mark.parametrize("wanted", ["stores", ["store", "all"], []])
def test_unknown_tables_are_an_error(wanted):
    with pytest.raises(EchoAugmentError, match="there is no speed table"):
        choose_tables(wanted)


def test_variants_are_chosen_before_anything_is_measured():
    tables = ["store", "generator"]
    assert choose_variants(None, ["store"]) == choose_variants([], ["store"]) == []
    assert choose_variants("compile", tables) == ["compile"]
    assert choose_variants(["channels_last", "cuda_graphs"], tables)[1] == "cuda_graphs"
    with pytest.raises(EchoAugmentError, match=r"no variant 'fast'.*channels_last, compile, cuda_graphs"):
        choose_variants("compile,fast", tables)
    with pytest.raises(EchoAugmentError, match=r"variants=\['compile'\] are rows of the table generator"):
        choose_variants("compile", ["store"])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("hearts=0", "hearts must be a whole number of at least 1, got 0"),
        ("steps=-1", "steps must be a whole number of at least 0, got -1"),
        ("loader.workers=-1", r"loader\.workers must be a whole number of at least 0, got -1"),
        ("store.rounds=0", r"store\.rounds must be a whole number of at least 1, got 0"),
        ("live.blocks=0", r"live\.blocks must be a whole number of at least 1, got 0"),
        ("fill.clips=1", r"fill\.clips must be a whole number of at least 2, got 1"),
        ("fill.wait=-1", r"fill\.wait must be at least 0, got -1"),
    ],
)
def test_a_value_out_of_range_is_named(override, said):
    with pytest.raises(EchoAugmentError, match=said):
        settings(override)


def test_quick_is_a_few_repetitions_of_the_same():
    quick = settings("quick=true", "loader.workers=0", "generator=there").shortened()
    assert quick.loader.workers == 0 and quick.generator == "there" and not quick.reference
    assert quick.store.rounds < settings().store.rounds and quick.fill.clips < settings().fill.clips
