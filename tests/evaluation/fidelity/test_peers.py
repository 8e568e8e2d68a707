"""Ready-made clips are measured against real videos; what needs a donor is left out by name."""

import json

import numpy as np
import pytest
from fakes.metric_networks import write_networks
from hydra import compose, initialize_config_module

from echo_augment.augmentor.data import write_video
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.sources.cached import CachedClips
from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, Provenance, StoreWriter
from echo_augment.evaluation.fidelity import job as fidelity
from echo_augment.evaluation.fidelity import peers as module
from echo_augment.training_recipes.filling.peers import import_peer_clips


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Phantoms that stand for real videos: 8 in VAL, 8 in TRAIN, 8 in TEST."""
    return write_phantoms(
        tmp_path_factory.mktemp("real"), 24, num_frames=80, splits=(1 / 3, 1 / 3, 1 / 3), workers=1, format=2
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Other phantoms as somebody's synthetic set, one of them too short, one without a label."""
    folder = tmp_path_factory.mktemp("peers")
    set_ = write_phantoms(folder / "set", 10, seed=500, num_frames=80, splits=(1, 0, 0), workers=1, format=2)
    (set_ / "phantoms.json").unlink()
    import_peer_clips(set_, folder / "cache", origin="Somebody", progress=False)
    store = ClipStore(folder / "cache")
    with StoreWriter(folder / "cache", fingerprint=store.fingerprint, round_frames=64) as writer:
        made = Provenance("", "", 0, fingerprint=store.fingerprint)
        writer.add(EchoClip("brief", store[0].frames[:20], 50.0, ef=50.0, provenance=made))
    return folder / "cache"


@pytest.fixture(scope="module")
def videos(cache, tmp_path_factory):
    """The cache's clips as somebody's folder of videos."""
    folder = tmp_path_factory.mktemp("samples")
    for number, clip in enumerate(CachedClips(cache)):
        write_video(folder / f"{number}.avi", np.asarray(clip.frames), clip.fps)
    return folder


def run(cache, root, out, *overrides):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("fidelity", [f"clips={cache}", f"data.root={root}", f"out={out}", "device=cpu", *overrides])
    fidelity.run(cfg)
    return json.loads((out / "report.json").read_text())


def test_a_cache_of_phantoms_is_read_as_the_phantoms_are(cache, root, tmp_path, capsys):
    found = run(cache, root, tmp_path, f"training={root}", "shown=3")
    assert (found["origin"], found["clips"], found["too_short"], found["real"]) == (
        "Somebody",
        10,
        1,
        {"n": 8, "split": "VAL"},
    )
    for row in ("clips", "real"):  # the bundled reader knows phantoms
        assert found["label"][row]["mae"] < 8 and found["label"][row]["r"] > 0.5, row
    assert found["frechet"]["n"] == 4 and found["frechet"]["real"] > 0 and found["frechet"]["clips"] > 0
    assert found["phase"]["n"] == 10 and found["phase"]["ed"]["median"] < 6
    assert found["memory"]["hearts"] == 8 and 0 <= found["memory"]["remembered"] <= 1
    assert {"likeness", "swap", "transport", "heart_rate", "reid_nearest"} <= set(found["left_out"])
    assert found["fingerprint"].startswith("peer-") and found["seeds"] == [0]
    text = (tmp_path / "fidelity.md").read_text()
    assert "10 clips of Somebody, 1 more are too short" in text and "- swap: " in text and "real VAL" in text
    assert (tmp_path / "contact_sheet.png").stat().st_size > 5_000
    assert "seen nothing but" in capsys.readouterr().out


def test_a_teacher_reads_in_place_of_the_reader(cache, root, tmp_path, monkeypatch):
    class Fixed:
        def room(self, clip):
            return -1 if clip.clip_id.endswith("0") else 5

        def __call__(self, clips):
            return np.array([clip.ef + 2 for clip in clips])

    asked = []
    monkeypatch.setattr(
        module.Teacher, "load", lambda folder, *, device, held_out: asked.append(len(held_out)) or Fixed()
    )
    found = run(cache, root, tmp_path, "reader.teacher=t")
    label = found["label"]["clips"]
    assert label["n"] == 9 and label["bias"] == pytest.approx(2) and label["mae"] == pytest.approx(2)
    assert asked == [16] and found["reader"] == "the teacher t" and found["memory"] is None


def test_published_metrics_stand_in_the_report(videos, root, tmp_path):
    weights = write_networks(tmp_path / "weights")
    asked = [f"metrics.weights={weights}", "metrics.names=[fvd16,fid,lpips]", "metrics.images=10"]
    found = run(videos, root, tmp_path / "out", *asked)["published"]
    assert list(found["rows"]) == ["real", "codec", "clips"] and found["real"] == 4
    assert all(row["fvd16"] >= 0 and row["fid"] >= 0 for row in found["rows"].values())
    assert found["rows"]["codec"]["lpips"] > 0 and "i3d_torchscript.pt" in found["weights"]
    assert "## Published metrics, against 4 real videos" in (tmp_path / "out" / "fidelity.md").read_text()


def test_a_folder_of_videos_is_measured_as_a_cache_is(cache, videos, root, tmp_path):
    found, stored = run(videos, root, tmp_path / "out", "shown=2"), run(cache, root, tmp_path / "stored", "shown=2")
    assert (found["clips"], found["too_short"], found["origin"]) == (10, 1, str(videos))
    assert found["videos"] == {"fps": [50.0], "sizes": [[112, 112]]} and "videos" not in stored
    assert found["label"]["clips"] is None and found["label"]["real"] == stored["label"]["real"]
    assert found["frechet"]["real"] == stored["frechet"]["real"] and found["frechet"]["clips"] > 0
    assert found["fingerprint"].startswith("videos-")
    text = (tmp_path / "out" / "fidelity.md").read_text()
    assert f"10 clips of {videos} (112 x 112 pixels, 50 frames a second), 1 more" in text and "nan" not in text


def test_a_missing_network_is_named_before_anything_is_computed(cache, root, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "judged", lambda *_, **__: pytest.fail("it was looked for too late"))
    with pytest.raises(EchoAugmentError, match=r"i3d_torchscript\.pt: there is no such file"):
        run(cache, root, tmp_path / "out", f"metrics.weights={tmp_path}")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.root=null"], "no real videos to hold them against"),
        (["curve=[1]"], "curve needs a generator"),
        (["segmenter=x"], "segmenter needs a generator"),
        (["data.split=EXTRA"], "no usable video in split 'EXTRA'"),
        (["data.limit=3"], "2 are long enough to be compared"),
        (["clips=null", "reader.teacher=t"], "reader.teacher reads ready-made clips"),
        (["clips=nowhere"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_measured_is_refused(cache, root, tmp_path, overrides, message):
    with pytest.raises(EchoAugmentError, match=message):
        run(cache, root, tmp_path, *overrides)
