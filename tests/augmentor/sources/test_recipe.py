"""From (pipeline, donors) to a generator: the forms both come in, the plan made for them, and the leak guards."""

import shutil
import sys
from dataclasses import replace
from itertools import islice
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, Subset

sys.path.insert(0, str(Path(__file__).parents[1]))
from fakes.echo import FakeEcho
from mcdm.conftest import untrained  # noqa: F401  a fixture

from echo_augment.augmentor import CachedClips, LiveClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic, read_table
from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.mcdm.fingerprint import hash_pipeline
from echo_augment.augmentor.sources.process import Status, clips_of
from echo_augment.augmentor.sources.recipe import GeneratorRecipe, Pairing, clip_shape, donor_rows, portable_pipeline
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.processes import alive


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_phantoms(
        tmp_path_factory.mktemp("data") / "phantom", 6, seed=5, workers=1, splits=(0.5, 0.25, 0.25), format=2
    )


def names(root, split):
    return {row.name for row in read_table(root).split(split)}


def recipe(pipeline, donors, **options):
    rows, root, tables = donor_rows(donors)
    return GeneratorRecipe(
        pipeline=portable_pipeline(pipeline), rows=rows, root=root, tables=tables, device="cpu", steps=1, **options
    )


def test_a_folder_a_dataset_and_a_dict_give_the_same_donors(root):
    train = names(root, "TRAIN")
    rows, folder, tables = donor_rows(str(root))
    assert set(rows) == train and folder == root and tables == [find_files(root)]
    dataset = EchoNetDynamic(root, split="train")
    assert set(donor_rows(dataset)[0]) == train and donor_rows(dataset)[1:] == (None, tables)
    assert set(donor_rows(Subset(dataset, [1]))[0]) == {dataset.rows[1].name}
    assert donor_rows(rows) == (rows, None, [])


def test_a_generator_of_each_form_makes_clips_of_its_donors(root, untrained):
    before = hash_pipeline(untrained)
    for donors in (root, EchoNetDynamic(root, split="train"), donor_rows(root)[0]):
        generator = recipe(untrained, donors, batch=1)()
        assert set(generator.appearance_donors) == names(root, "TRAIN")
        line = next(Pairing().lines(generator))
        clip = generator([line])[0]
        assert clip.frames.shape == clip_shape(untrained) and clip.provenance.fingerprint == generator.fingerprint
        assert clip.ef == generator.motion_donors[line.motion_donor]
    assert hash_pipeline(untrained) == before
    other = portable_pipeline(untrained)
    with torch.no_grad():
        next(other.denoiser.parameters()).add_(1)
    assert hash_pipeline(other) != before and hash_pipeline(untrained) == before, "a copy has weights of its own"


def test_only_the_named_motion_donors_give_motion(root, untrained):
    one = min(names(root, "TRAIN"))
    assert list(recipe(untrained, root, motion_donors=[one])().motion_donors) == [one]


def test_held_out_donors_are_refused_by_split_and_by_content(root, untrained, tmp_path):
    with pytest.raises(EchoAugmentError, match="is in a held-out split"):
        donor_rows(EchoNetDynamic(root, split="val"))
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    hidden, donor = read_table(copy).split("TEST")[0], read_table(copy).split("TRAIN")[0]
    shutil.copy(hidden.path, donor.path)
    with pytest.raises(EchoAugmentError, match=f"{donor.name} shows the same video as held-out {hidden.name}"):
        recipe(untrained, EchoNetDynamic(copy, split="train"))()


@pytest.mark.parametrize("donors", [{}, [], 7, FakeEcho(), {"a": "a.avi"}])
def test_other_donors_are_named(donors):
    with pytest.raises(EchoAugmentError, match=f"got {type(donors).__name__}"):
        donor_rows(donors)


def test_other_pipelines_are_named(root, tmp_path):
    assert clip_shape("bundled") == (16, 112, 112)
    with pytest.raises(EchoAugmentError, match=r"there is no model_index\.json"):
        LiveClips(tmp_path, root)
    with pytest.raises(EchoAugmentError, match=r"got int.*Or give a factory"):
        LiveClips(3, root)
    with pytest.raises(EchoAugmentError, match="motion donor 'nobody' is not among the 3 donors"):
        LiveClips("bundled", root, motion_donors=["nobody"])
    with pytest.raises(EchoAugmentError, match="must be the lines of a plan"):
        LiveClips(lambda: None, root)


class Donors:
    motion_donors, appearance_donors = {"a": 50.0, "b": 60.0, "c": 30.0}, ["a", "b", "c", "d"]
    sampler, fingerprint = "ddim-8", "f"


def test_plans_never_end_repeat_nothing_and_differ_between_ranks_and_seeds():
    def some(**options):
        return list(islice(Pairing(**options).lines(Donors), 2500))

    lines = some()
    assert some() == lines
    assert len({line.clip_id for line in lines}) == len({line.seed for line in lines}) == 2500
    assert {line.motion_donor for line in lines[:100]} == {"a", "b", "c"} and lines[0].sampler == "ddim-8"
    for other in (some(rank=1), some(seed=1)):
        assert not {line.clip_id for line in other} & {line.clip_id for line in lines}


def test_live_clips_of_the_bundled_generator_and_a_dataset_folder(root, tmp_path):
    """For real: the process loads the weights, plans, generates, and writes through."""
    options = {"device": "cpu", "steps": 1, "slots": 4, "batch": 1, "nice": 0, "write_to": tmp_path / "cache"}
    with LiveClips("bundled", root, **options) as live:
        assert live.donors == names(root, "TRAIN")
        base = EchoNetDynamic(root, split="train", target_type=["EF", "Filename"], length=16, period=4)
        train = SyntheticAugment(base, live, p=1.0, provenance=True)
        assert live.ready(2, timeout=900), live.stats()
        samples = [train[0], train[1]]
        pid = live.pid
    assert not alive(pid)
    ef = {row.name: np.float32(row.ef) for row in read_table(root).rows}
    for video, (target, _), origin in samples:
        assert video.shape == base[0][0].shape and target == ef[origin["motion_donor"]]
        assert {origin["motion_donor"], origin["appearance_donor"]} <= names(root, "TRAIN")
    assert train.stats() == {"epoch": 0, "real": 0, "cached": 0, "fresh": 2, "fallback": 0}
    assert {origin["clip_id"] for *_, origin in samples} <= {clip.clip_id for clip in CachedClips(tmp_path / "cache")}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")
def test_a_pipeline_travels_without_an_open_file_for_each_tensor(root, untrained):
    given = recipe(untrained, root)
    before = list(Path("/proc/self/fd").iterdir())
    sent = bytes(ForkingPickler.dumps(given))
    assert len(list(Path("/proc/self/fd").iterdir())) - len(before) < 5
    there = ForkingPickler.loads(sent)
    assert there.rows == given.rows and hash_pipeline(there.pipeline) == hash_pipeline(untrained)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_live_clips_of_a_pipeline_object_and_a_dataset(root, untrained, method):
    dataset = EchoNetDynamic(root, split="train")
    with LiveClips(untrained, dataset, device="cpu", steps=1, batch=1, slots=3, start_method=method) as live:
        assert live.ready(2, timeout=900), live.stats()
        assert live[0].provenance.fingerprint == live[1].provenance.fingerprint != ""


def test_a_donor_that_breaks_is_skipped_and_counted(root, untrained):
    rows, *_ = donor_rows(root)
    broken = replace(rows[min(rows)], name="broken", path=Path(root) / "FileList.csv")
    generator = recipe(untrained, root, batch=1)()
    generator._rows["broken"] = broken
    generator.motion_donors["broken"] = 50.0
    status, lines = Status(), list(islice(Pairing().lines(generator), 40))
    first = next(k for k, line in enumerate(lines) if line.motion_donor == "broken")
    good = [line for line in lines if "broken" not in (line.motion_donor, line.appearance_donor)][:2]
    made = list(clips_of(generator, iter([lines[first], *good]), (), status, 2))
    assert [clip.clip_id for clip in made] == [line.clip_id for line in good] and status.skipped == 1


def test_a_wrapper_that_may_serve_other_videos_gives_no_donors(root):
    class Filtered(Dataset):
        def __init__(self, base):
            self.base = base

        def __getattr__(self, name):
            return getattr(self.base, name)

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return self.base[len(self.base) - 1]

    data = EchoNetDynamic(root, split="train")
    assert set(donor_rows(Subset(data, [1]))[0]) == {data.rows[1].name}
    with pytest.raises(EchoAugmentError, match="donors: Filtered may serve other videos"):
        donor_rows(Filtered(data))
    with pytest.raises(EchoAugmentError, match="donors: Filtered may serve other videos"):
        donor_rows(Subset(Filtered(data), [0]))
