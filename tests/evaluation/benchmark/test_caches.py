"""Caches of a benchmark: one for each labelled subset, whose motion is of labelled videos alone, filled once."""

from dataclasses import replace

import pytest
from fakes.benchmark import StandIn, load
from fakes.benchmark import configure as settings_of

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.layouts.finding import DataFiles, find_files
from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.cache.generator import SkippedDonor
from echo_augment.evaluation.benchmark import caches
from echo_augment.evaluation.benchmark.caches import Caches, LabelledOnly, fill_subset, load_weights, weights_of
from echo_augment.evaluation.benchmark.design import Design
from echo_augment.evaluation.benchmark.ef_task import EFTask
from echo_augment.evaluation.benchmark.own_generator import configure


def test_the_published_protocol_trains_a_generator_on_its_data_set(tmp_path, monkeypatch):
    settings = settings_of("experiment=echonet_label_scarce", "model=tiny", f"out={tmp_path}", "data.root=x")
    asked = []
    made = tmp_path / "generator" / "generator"
    monkeypatch.setattr(caches, "own_generator", lambda *given: asked.append(given) or made)
    design = Design.of(replace(settings, labels=[1]), DataFiles(tmp_path / "x"), ["a"])
    assert weights_of(design, "synthetic", 0) == str(made)
    assert asked == [(design.settings, tmp_path / "x", tmp_path, None)]
    told = replace(design.settings, generator=replace(settings.generator, ef_conditioned="other", seeds=[4, 5]))
    assert weights_of(replace(design, settings=told), "ef_conditioned", 0) == "other"
    weights_of(replace(design, settings=told), "synthetic", 1)
    assert asked[-1][-1] == 5, "the second of the generators' seeds"
    job = configure(settings, tmp_path / "x", tmp_path / "generator")
    assert (job.preset.name, job.data.root, job.out) == ("base", str(tmp_path / "x"), str(tmp_path / "generator"))
    assert (job.seed, job.device) == (settings.seed, settings.device)


@pytest.fixture
def names(root):
    return [row.name for row in read_table(root).split("train")]


def test_only_labelled_videos_give_motion_and_only_the_chosen_appearance(root, names):
    bare = StandIn(root, names)
    found = LabelledOnly(bare, names[:2])
    assert dict(found.motion_donors) == {name: bare.motion_donors[name] for name in names[:2]}
    assert found.appearance_donors == bare.appearance_donors and found.fingerprint == bare.fingerprint
    assert LabelledOnly(bare, names[:2], names[1:4]).appearance_donors == sorted(names[1:4])


def test_labelled_videos_that_cannot_give_motion_are_named(root, names):
    bare = StandIn(root, names[3:])
    bare.skipped = [SkippedDonor(names[0], "cut short")]
    with pytest.raises(
        EchoAugmentError, match=rf"none of the 2 labelled videos can give motion: .*{names[0]}.*cut short"
    ):
        LabelledOnly(bare, names[:2])


def test_a_subset_is_filled_from_its_donors_and_goes_on(root, names, tmp_path):
    given = {"clips": 5, "seed": 1, "batch": 2}
    summary = fill_subset(tmp_path, StandIn(root, names), names[:2], appearance_donors=names[2:4], **given)
    assert (
        summary.sealed == 5
        and fill_subset(tmp_path, StandIn(root, names), names[:2], appearance_donors=names[2:4], **given).made == 0
    )
    sources = [clip.provenance for clip in ClipStore(tmp_path)]
    assert {one.motion_donor for one in sources} <= set(names[:2])
    assert {one.appearance_donor for one in sources} <= set(names[2:4])


def test_a_subset_without_any_clip_is_an_error(root, names, tmp_path):
    with pytest.raises(EchoAugmentError, match=rf"no clip passed the gates .*beside the cache, in {tmp_path}"):
        fill_subset(
            tmp_path,
            StandIn(root, names),
            names[:2],
            clips=3,
            seed=0,
            batch=2,
            gates=[lambda line, clip: "label: never"],
        )


def test_each_labelled_subset_has_its_cache_and_the_generator_is_loaded_once(root, names, tmp_path, capsys):
    settings = settings_of(f"out={tmp_path}", f"data.root={root}", "labels=[2,3]", "arm=[real,synthetic,oracle]")
    design = Design.of(replace(settings, unlabelled=1), find_files(root), names)
    loaded = []

    def watched(*given, **more):
        loaded.append(more["motion_donors"])
        return load(*given, **more)

    caches = Caches(design, EFTask(), tmp_path / "caches", watched)
    found = caches.fill(0, {})
    more = caches.fill(1, {})
    assert loaded == [design.motion_donors] and caches.fingerprint == "stand-in"
    assert list(found) == [(0, 0), (0, 1)] and list(more) == [(1, 0), (1, 1)]
    assert {path.name for path in (tmp_path / "caches").iterdir()} == {
        f"{kind}-labels-{labels}-seed{seed}" for kind in ("oracle", "synthetic") for labels in (2, 3) for seed in (0, 1)
    }
    for subset, folders in {**found, **more}.items():
        for kind in ("synthetic", "oracle"):
            sources = [clip.provenance for clip in ClipStore(folders[kind])]
            assert len(sources) == 4 and {one.motion_donor for one in sources} <= set(design.subsets[subset])
            assert {one.appearance_donor for one in sources} <= set(design.appearance_donors[subset])
    assert [(one.kind, one.labels, one.seed, one.sealed) for one in caches.fills[:2]] == [
        ("oracle", 2, 0, 4), ("oracle", 2, 1, 4)
    ]  # fmt: skip
    assert "motion of 2 labelled videos, appearance of 3 videos" in capsys.readouterr().out


def test_a_ready_cache_is_taken_as_it_is(root, names, tmp_path):
    settings = settings_of(f"out={tmp_path}", f"data.root={root}", "labels=[2]", "seeds=[0]", "arm=[real,synthetic]")
    design = Design.of(replace(settings, caches={"synthetic": "there"}), find_files(root), names)
    caches = Caches(design, EFTask(), tmp_path / "caches", None)
    assert caches.fill(0, {}) == {(0, 0): {"synthetic": "there"}} and caches.fills == []
    assert not (tmp_path / "caches").exists()


def test_kinds_of_clips_differ_in_steps_pairs_and_balance_and_warp_learns_nothing(long_root, tmp_path):
    root, names = long_root, [row.name for row in read_table(long_root).split("train")]
    given = [f"out={tmp_path}", f"data.root={root}", "labels=[3]", "seeds=[0]", "generator.steps=4"]
    settings = settings_of(*given, "arm=[real,synthetic,transport,self,warp,balanced+classical_strong]")
    design, steps = Design.of(settings, find_files(root), names), []

    def watched(*given, **more):
        steps.append(more["steps"])
        return load(*given, **more)

    stock = Caches(design, EFTask(), tmp_path / "caches", watched)
    [folders] = stock.fill(0, {}).values()
    assert list(folders) == ["balanced", "self", "synthetic", "transport", "warp"]
    assert steps == [4, 0], "three kinds share a generator; the arm transport takes no step, whatever the settings say"
    assert [one.generator for one in stock.made] == [*["bundled"] * 4, "nothing learned"]
    made = {kind: [clip.provenance for clip in ClipStore(folder)] for kind, folder in folders.items()}
    assert all(one.motion_donor == one.appearance_donor for one in made["self"])
    assert all(one.motion_donor != one.appearance_donor for one in made["synthetic"])
    assert {one.sampler for one in made["warp"]} == {"warp"}
    assert load_weights(settings, find_files(root), names[:2], watched, "ef_conditioned", "x") is not None
    assert steps[-1] is None, "the opponent samples as it was published"
