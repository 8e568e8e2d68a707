"""Other people's sets as caches: labels, rates, sizes, what is refused, and going on after a stop."""

import json
import shutil

import numpy as np
import pytest
from fakes.peers import ROWS, write_set
from hydra import compose, initialize_config_module

from echo_augment.augmentor import CachedClips
from echo_augment.augmentor.data import content_hash, read_video
from echo_augment.augmentor.data.packing import pack
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.data.video import write_video
from echo_augment.cache import ClipStore, EchoAugmentError, verify
from echo_augment.cache.rejections import read_reasons
from echo_augment.training_recipes.filling import peers as module
from echo_augment.training_recipes.filling.peers import import_peer_clips
from echo_augment.training_recipes.jobs import cache as cache_job

ORIGIN = "EchoNet-Synthetic"
ABOUT = {"origin": ORIGIN, "progress": False}


@pytest.fixture
def root(tmp_path):
    return write_set(tmp_path / "set", ROWS, traced=[("a", 31, 10)])


def test_a_set_becomes_a_cache_of_its_train_clips(root, tmp_path):
    done = import_peer_clips(root, tmp_path / "cache", **ABOUT)
    store = ClipStore(tmp_path / "cache")
    assert list(store.ids) == ["a", "b"] and verify(tmp_path / "cache") == []
    assert store.fingerprint == done.summary.fingerprint and store.fingerprint.startswith("peer-")
    assert store.ef.tolist() == [55.5, 30.0]
    assert (done.summary.sealed, done.summary.rejected, done.traced, done.alike) == (2, {"label": 1}, 1, ())
    clip = store[0]
    assert (clip.ed_frame, clip.es_frame, clip.fps, clip.confidence) == (10, 31, 50.0, 1.0)
    assert np.array_equal(clip.frames, read_video(root / "Videos" / "a.avi")[0])
    source = clip.provenance
    assert (source.motion_donor, source.appearance_donor, source.preset, source.label_policy) == (
        "",
        "",
        "peer",
        "peer",
    )
    assert source.extra == {
        "origin": ORIGIN,
        "file": "a.avi",
        "split": "TRAIN",
        "fps": 50.0,
        "content": content_hash(root / "Videos" / "a.avi"),
    }
    assert CachedClips(tmp_path / "cache").donors == frozenset(), "nobody knows them"
    assert "2 of 3 clips of EchoNet-Synthetic are in" in str(done) and "left out: 1 label" in str(done)
    assert done.problems == () and "cannot be used" not in str(done), "nobody's volumes are known"


def test_all_splits_resampled_and_scaled(root, tmp_path):
    import_peer_clips(root, tmp_path / "cache", split="all", fps=20, image_size=24, **ABOUT)
    store = ClipStore(tmp_path / "cache")
    assert list(store.ids) == ["a", "b", "t", "v"]
    clip = store[0]
    assert clip.frames.shape == (16, 24, 24) and clip.fps == 20.0  # 39 / 50 s, 20 times a second, and the first
    assert (clip.ed_frame, clip.es_frame) == (4, 12)  # 10 / 50 s and 31 / 50 s
    assert clip.provenance.extra["fps"] == 50.0


def test_the_fingerprint_is_of_the_files_the_labels_and_what_is_done(root, tmp_path):
    def fingerprint(name, **changes):
        return import_peer_clips(root, tmp_path / name, **{**ABOUT, **changes}).summary.fingerprint

    first = fingerprint("one")
    assert fingerprint("two") == first
    others = {fingerprint("fps", fps=25), fingerprint("size", image_size=16), fingerprint("origin", origin="Others")}
    text = (root / "FileList.csv").read_text()
    (root / "FileList.csv").write_text(text.replace("55.5", "55.6"))
    others.add(fingerprint("ef"))
    (root / "FileList.csv").write_text(text)
    shutil.copyfile(root / "Videos" / "b.avi", root / "Videos" / "a.avi")
    others.add(fingerprint("content"))
    assert len(others | {first}) == 6
    with pytest.raises(EchoAugmentError, match=r"cache .*one was made by generator .*peer-"):
        fingerprint("one")


def test_bad_videos_and_rows_are_left_out_and_counted(root, tmp_path):
    (root / "Videos" / "b.avi").write_bytes(b"no video")
    write_video(root / "Videos" / "black.avi", np.zeros((20, 32, 32), np.uint8), 50)
    with (root / "FileList.csv").open("a") as file:
        file.write("black,50,,,32,32,50,20,TRAIN\ngone,50,,,32,32,50,20,TRAIN\n")
    done = import_peer_clips(root, tmp_path / "cache", **ABOUT)
    assert list(ClipStore(tmp_path / "cache").ids) == ["a"]
    assert done.summary.rejected == {"image": 1, "skipped": 1, "label": 1}
    reasons = read_reasons(tmp_path / "cache")
    assert reasons["black"].startswith("image: black") and "b.avi" in reasons["b"]
    assert any("gone" in text and "not there" in text for text in done.problems)
    assert json.loads((tmp_path / "cache" / "gates.json").read_text())["gates"]["image"] is True


def test_it_goes_on_where_it_was_stopped(root, tmp_path, monkeypatch):
    read, calls = module.PeerVideos._read, []

    def stops(self, row):
        calls.append(row.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return read(self, row)

    monkeypatch.setattr(module.PeerVideos, "_read", stops)
    with pytest.raises(KeyboardInterrupt):
        import_peer_clips(root, tmp_path / "cache", **ABOUT)
    assert list(ClipStore(tmp_path / "cache").ids) == ["a"]
    done = import_peer_clips(root, tmp_path / "cache", **ABOUT)
    assert calls == ["a", "b", "b", "c"] and (done.summary.made, done.summary.sealed) == (1, 2)
    assert import_peer_clips(root, tmp_path / "cache", **ABOUT).summary.made == 0


def test_real_data_is_refused(root, tmp_path):
    real = write_set(tmp_path / "real", [("x", 50, "TRAIN"), ("y", 50, "VAL"), ("a", 50, "TEST")], frames=30)
    done = import_peer_clips(root, tmp_path / "cache", against=real, **ABOUT)
    assert done.alike == ("a",) and "1 have names of VAL or TEST videos" in str(done)
    shutil.copyfile(real / "Videos" / "y.avi", root / "Videos" / "b.avi")
    with pytest.raises(EchoAugmentError, match=r"1 of the 3 clips to import are real videos of .*: b is VAL video y"):
        import_peer_clips(root, tmp_path / "other", against=real, **ABOUT)
    with pytest.raises(EchoAugmentError, match=r"3 of the 3 clips .*: a is TRAIN video a"):
        import_peer_clips(root, tmp_path / "other", against=root, **ABOUT)
    assert not (tmp_path / "other").exists()
    write_phantoms(tmp_path / "phantoms", 3, num_frames=20, splits=(0.34, 0.33, 0.33), format=2)
    with pytest.raises(EchoAugmentError, match="holds phantoms"):
        import_peer_clips(tmp_path / "phantoms", tmp_path / "other", **ABOUT)
    pack(real, tmp_path / "packed")
    with pytest.raises(EchoAugmentError, match="holds the real clips of a packed data set"):
        import_peer_clips(tmp_path / "packed", tmp_path / "other", **ABOUT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"origin": " "}, "provenance is empty"), ({"fps": 0}, r"fps must be in \[1, 1000\]"),
     ({"image_size": 8}, "image_size must be a whole number from 16"), ({"split": "TRIAN"}, "TRIAN")],
)  # fmt: skip
def test_bad_arguments(root, tmp_path, changes, message):
    with pytest.raises(EchoAugmentError, match=message):
        import_peer_clips(root, tmp_path / "cache", **{**ABOUT, **changes})


def test_the_command(root, tmp_path, capsys):
    words = [f"cache={tmp_path / 'cache'}", f"data.root={root}", f"provenance={ORIGIN}", f"out={tmp_path / 'out'}"]
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("cache", ["action=import", "fps=25", *words])
    cache_job.run(cfg)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["clips"], report["origin"], report["fill"]["made"]) == (2, ORIGIN, 2)
    assert report["fingerprint"] == ClipStore(tmp_path / "cache").fingerprint
    assert "2 of 3 clips of EchoNet-Synthetic are in" in capsys.readouterr().out
