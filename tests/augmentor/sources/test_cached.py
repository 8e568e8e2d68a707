"""Clips of a cache: those excluded are gone from everything that it tells; a list that does not fit is named."""

import json
import pickle

import numpy as np
import pytest
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import DataLoader

from echo_augment.augmentor import CachedClips, SyntheticAugment
from echo_augment.augmentor.sources.cached import read_ids
from echo_augment.cache import EchoAugmentError, StoreWriter

NAMES = [f"clip{k:03d}" for k in range(9)]


@pytest.fixture
def folder(tmp_path):
    with StoreWriter(tmp_path / "cache", shard_clips=4) as writer:
        for k in range(9):
            writer.add(make_clip(k))
    return tmp_path / "cache"


def test_without_exclude_everything_is_there(folder):
    source = CachedClips(folder)
    assert len(source) == 9 and list(source.ids) == NAMES and len(source.donors) == 18
    assert source.fingerprint == source.store.fingerprint == CachedClips(folder, exclude=[]).fingerprint


def test_ef_donors_ids_length_and_fingerprint_are_those_of_what_is_left(folder):
    source = CachedClips(folder, exclude=["clip003", "clip000"])
    left = [name for name in NAMES if name not in ("clip000", "clip003")]
    assert len(source) == 7 and list(source.ids) == left == [clip.clip_id for clip in source]
    assert source.ef.tolist() == [20.0 + int(name[4:]) for name in left]
    assert source.donors == {f"{kind}{int(name[4:])}" for kind in ("motion", "look") for name in left}
    assert source[-1].clip_id == "clip008" and np.array_equal(source[0].frames, make_clip(1).frames)
    with pytest.raises(IndexError):
        source[7]
    other = CachedClips(folder, exclude=["clip000", "clip004"])
    assert len({source.fingerprint, other.fingerprint, CachedClips(folder).fingerprint}) == 3
    assert source.fingerprint == CachedClips(folder, exclude=("clip000", "clip003")).fingerprint


def test_it_pickles_and_serves_workers(folder):
    source = CachedClips(folder, exclude=NAMES[:7])
    again = pickle.loads(pickle.dumps(source))  # noqa: S301
    assert list(again.ids) == NAMES[7:] and again.fingerprint == source.fingerprint
    train = SyntheticAugment(FakeEcho(target_type="Filename"), source, p=1.0)
    alone = [train[i][1] for i in range(len(train))]
    assert {name.removesuffix(".avi") for name in alone} == set(NAMES[7:])
    for context in ("fork", "spawn"):
        loader = DataLoader(train, batch_size=1, num_workers=2, multiprocessing_context=context)
        assert [names[0] for _, names in loader] == alone


@pytest.mark.parametrize(
    "text", ["clip001\r\nclip002\n\n", "clip001\nclip002", '["clip001", "clip002"]', "\ufeffclip001\nclip002"]
)
def test_a_file_has_one_id_a_line_or_a_json_list(folder, tmp_path, text):
    path = tmp_path / "exclude.txt"
    path.write_text(text, encoding="utf-8")
    for given in (path, str(path)):
        assert list(CachedClips(folder, exclude=given).ids) == [NAMES[0], *NAMES[3:]]


def test_an_unknown_id_is_an_error_that_names_it(folder, tmp_path):
    with pytest.raises(EchoAugmentError, match=r"clip 'clip9' \(and 1 more\) to exclude is not in the cache"):
        CachedClips(folder, exclude=["clip001", "clip9", "clipX"])
    path = tmp_path / "other.json"
    path.write_text(json.dumps(["a", "b"]))
    with pytest.raises(EchoAugmentError, match=r"other\.json: clip 'a' \(and 1 more\) to exclude is not"):
        CachedClips(folder, exclude=path)


def test_a_file_that_is_older_than_the_cache_is_counted_in_a_warning(folder, tmp_path):
    path = tmp_path / "exclude.txt"
    path.write_text("clip001\ngone\n")
    with pytest.warns(UserWarning, match=r"1 of 2 clips to exclude are not in the cache") as caught:
        source = CachedClips(folder, exclude=path)
    assert len(source) == 8 and caught[0].filename == __file__


def test_what_is_no_list_is_refused(folder, tmp_path):
    path = tmp_path / "exclude.json"
    for text, message in (('{"a": 1}', "no list of ids"), ("[1, 2]", "no list of ids"), ("[1,", "cannot be read")):
        path.write_text(text)
        with pytest.raises(EchoAugmentError, match=message):
            read_ids(path)
    with pytest.raises(EchoAugmentError, match=r"clip001 cannot be read"):
        CachedClips(folder, exclude="clip001")
    with pytest.raises(EchoAugmentError, match="leaves out all 9 clips"):
        CachedClips(folder, exclude=NAMES)


def test_a_cached_source_stays_as_it_was_while_a_fill_goes_on(folder):
    source = CachedClips(folder)
    with StoreWriter(folder) as writer:
        writer.add(make_clip(9))
    assert len(source) == 9 and len(CachedClips(folder)) == 10


def test_a_missing_cache_is_named(tmp_path):
    with pytest.raises(EchoAugmentError, match="nowhere"):
        CachedClips(tmp_path / "nowhere")
