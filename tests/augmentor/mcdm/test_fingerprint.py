"""Hashes of weights: frozen values, since caches and runs of before are known by them."""

from echo_augment.augmentor.mcdm.fingerprint import (
    fingerprint,
    hash_network,
    hash_networks,
    hash_pipeline,
    hash_weights,
)
from echo_augment.augmentor.mcdm.pipeline import BUNDLED, MCDMPipeline


def test_hashes_of_the_bundled_generator_are_as_ever():
    pipeline = MCDMPipeline.load("bundled")
    assert hash_weights(BUNDLED) == "f308ae9af4feb587"
    assert hash_network(pipeline.vae) == "d5351135d2a5e5ec" and hash_network(pipeline.denoiser) == "8b504d6bd963e288"
    assert hash_networks(pipeline) == "e8870e4c181f836e"
    assert hash_pipeline(pipeline) == "5dfb626b5d5a9ea8"


def test_what_came_later_counts_where_it_is_set(untrained):
    before = hash_pipeline(untrained), hash_networks(untrained)
    untrained.register_to_config(sampler="ddpm")
    assert hash_pipeline(untrained) != before[0] and hash_networks(untrained) == before[1], "how it samples by default"
    untrained.register_to_config(sampler="ddim", reference="any")
    assert hash_pipeline(untrained) != before[0] and hash_networks(untrained) != before[1]
    untrained.register_to_config(reference="ed")
    assert (hash_pipeline(untrained), hash_networks(untrained)) == before


CPU = "cpu float32 float32"


def test_fingerprint_follows_weights_donors_sampler_and_code(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    first = hash_weights(tmp_path)
    (tmp_path / "config.json").write_text("{ }")
    assert hash_weights(tmp_path) != first
    shown = {"a": "1", "b": "2", "c": "3"}
    base = fingerprint("w", ["a", "b"], ["c"], "ddim-8", shown, CPU)
    with monkeypatch.context() as other:
        other.setattr("echo_augment.augmentor.mcdm.fingerprint.CLIP_CODE", -1)
        assert fingerprint("w", ["a", "b"], ["c"], "ddim-8", shown, CPU) != base, "other code makes other clips"
    assert base == fingerprint("w", ["b", "a"], ["c"], "ddim-8", dict(reversed(shown.items())), CPU)
    others = [
        fingerprint("w", ["a"], ["b", "c"], "ddim-8", shown, CPU),
        fingerprint("w", ["a", "b"], ["c"], "dpm-8", shown, CPU),
        fingerprint("w", ["a", "b"], ["c"], "ddim-8", {**shown, "c": "another video under the same name"}, CPU),
        fingerprint("w", ["a", "b"], ["c"], "ddim-8", shown, "cuda bfloat16 float32"),
    ]
    assert len({base, *others}) == 5
