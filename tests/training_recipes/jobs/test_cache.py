import json
import tarfile

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from PIL import Image

from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.data.video import read_video
from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, Provenance, StoreWriter
from echo_augment.training_recipes.jobs import cache as cache_tool


def ventricle(radius):
    y, x = np.mgrid[:64, :64]
    return ((x - 30) / radius) ** 2 + ((y - 33) / 1.8 / radius) ** 2 < 1


def make_cache(folder, names, shard_clips=3):
    radii = 12 - 3 * np.sin(np.linspace(0, 3.0, 6))
    masks = np.stack([ventricle(radius) for radius in radii])
    frames = np.where(masks, 20, 110).astype(np.uint8)
    with StoreWriter(folder, fingerprint="fp", shard_clips=shard_clips) as writer:
        for k, name in enumerate(names):
            source = Provenance(f"M{k}", f"A{k}", k, fingerprint="fp")
            writer.add(EchoClip(name, frames + np.uint8(k), 12.5, 30.0 + k, 0, 2, 1.0, masks, source))
    return folder


@pytest.fixture
def act(tmp_path):
    def act(**values):
        with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
            cfg = compose("cache", [f"{key}={value}" for key, value in values.items()])
        cache_tool.run(cfg)
        path = tmp_path / "out" / "report.json"
        return json.loads(path.read_text()) if path.exists() else {}

    return act


@pytest.fixture
def cache(tmp_path):
    return make_cache(tmp_path / "cache", [f"c{k}" for k in range(7)])


def spoil(cache):
    path = sorted((cache / "shards").iterdir())[0]
    content = bytearray(path.read_bytes())
    content[-3000] ^= 16
    path.write_bytes(content)
    return path


def test_info(act, cache, tmp_path, capsys):
    report = act(action="info", cache=cache, out=tmp_path / "out")
    assert report["clips"] == 7 and report["shards"] == 3 and report["ef"]["mean"] == 33.0
    assert "fingerprint: fp" in capsys.readouterr().out


def test_verify_and_repair(act, cache, tmp_path, capsys):
    act(action="verify", cache=cache, out=tmp_path / "out")
    assert "every byte" in capsys.readouterr().out
    path = spoil(cache)
    with pytest.raises(EchoAugmentError, match=r"1 damaged parts .*action=repair cache="):
        act(action="verify", cache=cache, out=tmp_path / "out")
    assert path.name in capsys.readouterr().out
    report = act(action="repair", cache=cache, out=tmp_path / "out")
    assert report["shards"] == [path.name] and len(ClipStore(cache)) >= 6
    act(action="verify", cache=cache, out=tmp_path / "out")
    act(action="repair", cache=cache, out=tmp_path / "out")
    assert "nothing to repair" in capsys.readouterr().out


def test_merge(act, cache, tmp_path):
    other = make_cache(tmp_path / "other", ["d0", "c1", "d2"])
    report = act(action="merge", cache=f"[{cache},{other}]", out=tmp_path / "out")
    assert report["added"] == report["clips"] == 9
    assert list(ClipStore(tmp_path / "out").ids) == sorted([*(f"c{k}" for k in range(7)), "d0", "d2"])


def test_export_is_read_by_our_reader(act, cache, tmp_path, capsys):
    report = act(action="export", cache=cache, out=tmp_path / "out")
    assert report["clips"] == report["traced"] == 7
    data = EchoNetDynamic(
        tmp_path / "out", split="train", target_type=["Filename", "EF", "LargeTrace"], length=4, period=1
    )
    assert len(data) == 7
    store = ClipStore(cache)
    for k in range(7):
        name, ef, trace = data[k][1]
        clip = store[store.ids.find(name.removesuffix(".avi"))]
        assert ef == pytest.approx(clip.ef)
        overlap = (trace.astype(bool) & clip.masks[0]).sum() / (trace.astype(bool) | clip.masks[0]).sum()
        assert overlap > 0.85
        frames = read_video(tmp_path / "out" / "Videos" / name)[0]
        assert np.abs(frames.astype(float) - clip.frames).mean() < 5


def test_preview(act, cache, tmp_path):
    report = act(action="preview", cache=cache, out=tmp_path / "out", clips=5)
    assert len(report["shown"]) == 5 and report["shown"][0] == "c0" and report["shown"][-1] == "c6"
    with Image.open(tmp_path / "out" / "preview.png") as sheet, Image.open(tmp_path / "out" / "preview.gif") as film:
        assert sheet.height > 5 * 168 and np.asarray(sheet).std() > 20
        assert film.n_frames == 6 and film.info["duration"] == 80


def test_gallery(act, cache, tmp_path, capsys):
    report = act(action="gallery", cache=cache, out=tmp_path / "out", thumbnail=32)
    assert (report["clips"], report["thumbnail"], report["fingerprint"]) == (7, 32, "fp")
    assert (tmp_path / "out" / "gallery.html").stat().st_size == report["size"]
    assert "7 clips are shown in" in capsys.readouterr().out


def test_export_as_tar_shards(act, cache, tmp_path):
    report = act(action="export", format="webdataset", cache=cache, out=tmp_path / "out", shard_clips=4)
    assert report["shards"] == ["clips-000000.tar", "clips-000001.tar"] and report["clips"] == 7
    assert all((tmp_path / "out" / name).stat().st_size > 10_000 for name in report["shards"])


def test_export_leaves_out_what_the_gallery_listed(act, cache, tmp_path):
    out, ids = tmp_path / "out", list(ClipStore(cache).ids)
    act(action="export", cache=cache, out=out)
    (tmp_path / "exclude.txt").write_text(f"{ids[2]}\n{ids[5]}\n")
    report = act(action="export", cache=cache, out=out, exclude=tmp_path / "exclude.txt")
    assert report["clips"] == 5 and "-without-2-" in report["fingerprint"]
    kept = [name for name in ids if name not in (ids[2], ids[5])]
    assert sorted(path.stem for path in (out / "Videos").iterdir()) == kept
    assert [row.name for row in EchoNetDynamic(out, "train", length=4).rows] == kept
    tars = act(action="export", format="webdataset", cache=cache, out=out, exclude=f"[{ids[0]}]", shard_clips=4)
    with tarfile.open(out / tars["shards"][0]) as tar:
        assert tars["clips"] == 6 and not any(name.startswith(f"{ids[0]}.") for name in tar.getnames())
    with pytest.raises(EchoAugmentError, match="exclude= is for action=export"):
        act(action="info", cache=cache, out=out, exclude=tmp_path / "exclude.txt")


def test_pack(act, tmp_path, capsys):
    write_phantoms(tmp_path / "data", 3, num_frames=20, splits=(0.34, 0.33, 0.33), format=2)
    values = {"data": "phantom", "data.root": tmp_path / "data", "data.n": 3, "cache": tmp_path / "packed"}
    report = act(action="pack", out=tmp_path / "out", **values)
    assert report["packed"] == report["new"] == 3 and report["skipped"] == []
    assert "EchoNetDynamic(root, store=" in capsys.readouterr().out
    assert act(action="info", cache=tmp_path / "packed", out=tmp_path / "out")["kind"] == "real"
    assert act(action="preview", cache=tmp_path / "packed", out=tmp_path / "out", clips=2)["shown"]
    one, other = (EchoNetDynamic(tmp_path / "data", "all", store=store) for store in (None, tmp_path / "packed"))
    assert all(np.array_equal(one[k][0], other[k][0]) for k in range(3))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"action": "polish"}, "info, verify, repair, merge, export, preview, gallery, import, pack, got 'polish'"),
        ({"action": "info", "cache": "[a,b]"}, "takes one cache, got 2"),
        ({"action": "info", "cache": "absent"}, "there is no cache at absent"),
        ({"action": "export", "format": "tar"}, "got 'tar'"),
        ({"action": "pack"}, "needs a data set"),
        ({"action": "import"}, "needs a data set and its makers"),
        ({"action": "preview", "clips": 0}, "clips must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_requests(act, cache, tmp_path, values, message):
    with pytest.raises(EchoAugmentError, match=message):
        act(**({"cache": cache, "out": tmp_path / "out"} | values))
