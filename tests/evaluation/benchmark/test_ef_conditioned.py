"""From published weights that are told an EF to an arm of the benchmark."""

import json
import math

import numpy as np
import pytest
from fakes.benchmark import composed, configure, load
from fakes.published import FRAMES, write_layout
from hydra import compose, initialize_config_module

from echo_augment.augmentor import CachedClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic, read_table
from echo_augment.augmentor.mcdm import load_generator
from echo_augment.augmentor.mcdm.published.ef_token import EFToken
from echo_augment.cache import ClipStore, EchoAugmentError, make_plan
from echo_augment.evaluation.benchmark.job import run_benchmark
from echo_augment.training_recipes.jobs import fill_cache, import_weights

OFF = ["data=echonet", "device=cpu", "gates.image=false", "steps=2", "batch=2"]


def run(job, name, *overrides):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose(name, list(overrides))
    job.run(cfg)


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    write_layout(root / "hub")
    run(import_weights, "import-weights", "source=echonet-synthetic", f"files={root / 'hub'}", f"out={root / 'out'}")
    return root / "out"


def test_weights_to_cache_to_augmented_dataset(generator, root, tmp_path):
    out, data = tmp_path / "cache", f"data.root={root}"
    run(fill_cache, "fill-cache", f"generator={generator}", f"out={out}", data, "n=2", "ef=table", *OFF)
    store = ClipStore(out)
    dataset = EchoNetDynamic(root, "train", length=FRAMES)
    efs = {row.name: row.ef for row in read_table(root).rows}
    for clip in store:
        assert clip.frames.shape == (FRAMES, 112, 112) and clip.fps == 32
        assert clip.ef == pytest.approx(efs[clip.provenance.motion_donor], abs=1e-3)
        assert (clip.ed_frame, clip.es_frame, clip.masks) == (-1, -1, None)
        assert clip.provenance.sampler == "ddpm-2" and clip.provenance.preset == "echonet-synthetic"
    train = SyntheticAugment(dataset, CachedClips(out), p=1.0, seed=0)
    frames, ef = train[0]
    assert np.shape(frames) == np.shape(dataset[0][0]) and 0 <= float(ef) <= 100
    assert any(math.isclose(float(ef), float(clip.ef), abs_tol=1e-3) for clip in store)
    report = json.loads((out / "report.json").read_text())
    assert report["config"]["ef"] == "table" and report["fill"]["complete"]


def test_an_ef_can_be_drawn_and_is_then_the_label(generator, root, tmp_path):
    out, data = tmp_path / "cache", f"data.root={root}"
    drawn = ["ef=uniform", "ef_range=[20,30]", "n=2"]
    run(fill_cache, "fill-cache", f"generator={generator}", f"out={out}", data, *drawn, *OFF)
    store = ClipStore(out)
    assert all(20 <= clip.ef <= 30 and clip.provenance.label_policy == "drawn" for clip in store)
    assert len({clip.ef for clip in store}) == 2


def test_a_line_makes_the_same_clip_in_any_batch_and_the_ef_decides_it(generator, root):
    table = load_generator(str(generator), root, steps=2, batch=2)
    lines = make_plan(table.motion_donors, table.appearance_donors, 2, seed=3).lines
    alone = load_generator(str(generator), root, steps=2, batch=2)
    assert np.array_equal(table(lines)[1].frames, alone(lines[1:])[0].frames)
    uniform = load_generator(str(generator), root, steps=2, batch=2, ef=EFToken("uniform", 1, 2))
    assert uniform.fingerprint != table.fingerprint
    clip = uniform(lines[:1])[0]
    assert 1 <= clip.ef < 2 and not np.array_equal(clip.frames, table(lines[:1])[0].frames)


def test_a_generator_that_is_shown_a_motion_takes_no_ef(root, tmp_path):
    asked = ["generator=bundled", "ef=uniform", f"out={tmp_path}", f"data.root={root}", "data=echonet", "device=cpu"]
    with pytest.raises(EchoAugmentError, match="ef=uniform is for a generator that is told an EF"):
        run(fill_cache, "fill-cache", *asked)


@pytest.mark.parametrize("bad", [["ef_range=[20,30]"], ["ef=table", "ef_range=[1,2]"], ["ef=uniform", "ef_range=[5]"]])
def test_a_range_without_a_draw_is_refused(bad, tmp_path):
    with pytest.raises(EchoAugmentError, match="Give ef=uniform and ef_range"):
        run(fill_cache, "fill-cache", f"out={tmp_path}", "data=phantom", *bad)


def test_the_arm_is_trained_and_the_report_says_what_its_generator_may_know(generator, root, tmp_path):
    cache = tmp_path / "cache"
    run(
        fill_cache,
        "fill-cache",
        f"generator={generator}",
        f"out={cache}",
        f"data.root={root}",
        "n=8",
        "reserve=0",
        *OFF,
    )
    small = ["labels=[3]", "seeds=[0]", "arm=[real,ef_conditioned]", "trainer.length=4", "trainer.pad=0"]
    given = [*small, f"+caches.ef_conditioned={cache}"]
    report = run_benchmark(configure(f"out={tmp_path / 'out'}", f"data.root={root}", *given), "benchmark", load)
    assert list(report.arms) == ["real", "ef_conditioned"] and "ef_conditioned-real" in report.contrasts
    (note,) = [note for note in report.notes if "told the EF" in note]
    assert note.startswith("The arm ef_conditioned") and note in (tmp_path / "out" / "report.md").read_text()


def test_the_benchmark_fills_the_arms_caches_itself(generator, root, tmp_path):
    asked = []

    def stand_in(weights, *args, **options):
        asked.append((weights, options["steps"]))
        return load(weights, *args, **options)

    given = ["labels=[3]", "seeds=[0]", "arm=[real,ef_conditioned]", "generator.steps=1"]
    given += [f"generator.ef_conditioned={generator}", f"out={tmp_path / 'out'}", f"data.root={root}"]
    report = run_benchmark(configure(*given), "benchmark", stand_in)
    assert asked == [(str(generator), None)], "its own number of steps, whatever ours takes"
    assert {fill.kind for fill in report.clips} == {"ef_conditioned"}


def test_without_a_generator_it_says_what_to_give_before_any_work(root, tmp_path):
    given = [f"out={tmp_path / 'out'}", f"data.root={root}", "labels=[3]", "arm=[real,ef_conditioned]"]
    with pytest.raises(EchoAugmentError, match=r"Give generator\.ef_conditioned=FOLDER .*\+caches\.ef_conditioned"):
        run_benchmark(configure(*given), "benchmark", load)
    assert composed("benchmark", *given).generator.ef_conditioned is None
