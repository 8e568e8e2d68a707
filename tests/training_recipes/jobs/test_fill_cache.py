import json

import numpy as np
import pytest
from fakes.speckle import FakeGenerator
from hydra import compose, initialize_config_module

from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, Provenance
from echo_augment.training_recipes.jobs import fill_cache


@pytest.fixture
def config(tmp_path):
    data = tmp_path / "data"
    (data / "Videos").mkdir(parents=True)
    (data / "FileList.csv").write_text("FileName,EF,Split\nH0,50,TRAIN\n")

    def make(*overrides):
        with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
            overrides = ["data=echonet", f"data.root={data}", f"out={tmp_path / 'cache'}", "n=30", *overrides]
            return compose("fill-cache", overrides)

    return make


def test_the_job_fills_reports_and_goes_on(config, tmp_path, capsys):
    generator, called = FakeGenerator(), {}

    def load(name, root, **options):
        called.update(name=name, root=root, **options)
        return generator

    fill_cache.run(config("batch=4", "device=cpu"), load)
    assert called == {
        "name": "bundled", "root": find_files(tmp_path / "data"), "device": "cpu", "steps": None, "seed": 0,
        "on_error": "skip",
    }  # fmt: skip
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith("30 of 30 clips") and "1 donors skipped" in last and last.endswith("report.json")
    report = json.loads((tmp_path / "cache" / "report.json").read_text())
    assert report["job"] == "fill-cache" and report["fingerprint"] == "fake" and report["skipped"][0]["name"] == "H99"
    assert report["fill"]["complete"] and report["fill"]["rejected"] == {
        "skipped": report["fill"]["rejected"]["skipped"]
    }
    store = ClipStore(tmp_path / "cache")
    assert len(store) == 30 and report["ef"]["mean"] == pytest.approx(store.ef.mean())
    assert not any(clip.provenance.appearance_donor == "H9" for clip in store)
    made = len(generator.made)
    fill_cache.run(config("batch=4", "device=cpu"), load)
    assert len(generator.made) == made, "clips were generated again"


def test_a_fill_without_any_clip_is_an_error(config):
    class Black(FakeGenerator):
        def clip(self, line):
            source = Provenance(line.motion_donor, line.appearance_donor, line.seed, fingerprint="fake")
            return EchoClip(line.clip_id, np.zeros((4, 32, 32), np.uint8), 12.5, provenance=source)

    with pytest.raises(EchoAugmentError, match="no clip passed the gates"):
        fill_cache.run(config("device=cpu"), lambda *_, **__: Black())
    fill_cache_off = config("device=cpu", "gates.image=false", "seed=5")
    fill_cache_off.out += "2"
    fill_cache.run(fill_cache_off, lambda *_, **__: Black())
