"""Public names, plans, the bytes of shards, the mixing, and the clips of the bundled generator."""

import importlib
import shutil

import frozen
import pytest

NAMES = (frozen.DATA / "public_names.txt").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("name", NAMES)
def test_public_name_is_there(name):
    module, _, attribute = name.rpartition(".")
    found = importlib.import_module(module)
    assert attribute in found.__all__ and getattr(found, attribute) is not None


@pytest.mark.parametrize("name", frozen.PLANS)
def test_plan_is_as_before(name):
    assert frozen.plan(name) == frozen.read(frozen.DATA / "plans.json")[name]


@pytest.mark.parametrize("compression", frozen.COMPRESSIONS)
def test_sealed_shard_is_as_before(tmp_path, compression):
    """To the byte under the libraries that wrote the golden; else in all that HDF5 and the compression leave alone."""
    recorded = frozen.read(frozen.DATA / "shards.json")
    golden = recorded["shards"][compression]
    found = frozen.describe(frozen.seal(tmp_path / "store", compression))
    if recorded["libraries"] != frozen.libraries():
        golden, found = ({**one, "stored": None} for one in (golden, found))
    assert found == golden


def test_shard_of_then_is_still_read(tmp_path):
    """A committed file: it must give the same labels and pixels for ever."""
    shutil.copytree(frozen.SHARD, tmp_path / "store")
    golden, found = frozen.read(frozen.DATA / "store.json"), frozen.describe(tmp_path / "store")
    assert {key: found[key] for key in golden} == golden
    clips = [frozen.clip_facts(clip) for clip in sorted(frozen.fixed_clips(), key=lambda clip: clip.clip_id)]
    assert clips == golden["clips"]


@pytest.mark.parametrize("name", frozen.MIXES)
def test_mix_is_as_before(name):
    assert frozen.mix(name) == frozen.read(frozen.DATA / "mixes.json")[name]


def test_bundled_generator_makes_the_same_clips():
    golden, found = frozen.read(frozen.DATA / "generated.json"), frozen.generated()
    assert found.keys() == golden.keys()
    for steps, frames in golden.items():
        assert found[steps] == [pytest.approx(frame, abs=0.5) for frame in frames], steps
