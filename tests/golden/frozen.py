"""What the golden tests compute anew and hold against the files in ``data/``; ``record.py`` writes these."""

import hashlib
import json
import shutil
import zlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import lz4
import numpy as np
import torch
import yaml
from reach import arithmetic, bundled_hash, clip_code, training_key, window_of

from echo_augment.augmentor import InMemoryClips, SyntheticAugment
from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.mcdm import MCDMPipeline, load_generator, make_heart
from echo_augment.cache import ClipStore, EchoClip, Provenance, StoreWriter, make_plan

DATA = Path(__file__).parent / "data"
CONFIGS, REPORTS, FOLDER, SHARD = DATA / "configs", DATA / "reports", DATA / "echonet", DATA / "store"
COMPRESSIONS = ("none", "gzip", "lz4", "zstd")
TEACHER_KEY = "0123456789abcdef01234567"


def write(path: Path, value: Any) -> None:
    """JSON, short lists in one line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# Keys


KEYS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "real": ("train-ef", "train-ef", {}),
    "real, 2 labels, seed 3": ("train-ef", "train-ef", {"labels": 2, "seed": 3}),
    "real, half of the labels": ("train-ef", "train-ef", {"labels": "1/2", "unlabelled": 4}),
    "real, smallest": ("train-ef", "train-ef", {"trainer.selection": "smallest"}),
    "real, validation": ("train-ef", "train-ef", {"val_at_least": 4, "trainer.steps": 7}),
    "classical": ("train-ef", "train-ef.classical", {}),
    "full": ("train-ef", "train-ef.full", {"labels": 2}),
    "mean_teacher": ("train-ef", "train-ef.mean_teacher", {"labels": 2}),
    "mean_teacher, 1 unlabelled": ("train-ef", "train-ef.mean_teacher", {"labels": 2, "unlabelled": 1}),
    "pseudo_label": ("train-ef", "train-ef.pseudo_label", {"teachers.real": "TEACHER"}),
    "pseudo_label, no teacher": ("train-ef", "train-ef.pseudo_label", {}),
    "synthetic": ("train-ef", "train-ef.synthetic", {"caches.synthetic": "STORE"}),
    "synthetic, no cache": ("train-ef", "train-ef.synthetic", {}),
    "synthetic, another cache": ("train-ef", "train-ef.synthetic", {"caches.oracle": "STORE"}),
    "synthetic, fewer": ("train-ef", "train-ef.synthetic", {"caches.synthetic": "STORE", "arm.synthetic.most": 2}),
    "synthetic, teacher's labels": (
        "train-ef",
        "train-ef.synthetic",
        {"caches.synthetic": "STORE", "arm.synthetic.label": "teacher", "teachers.real": "TEACHER"},
    ),
    "synthetic+classical": ("train-ef", "train-ef.synthetic+classical", {"caches.synthetic": "STORE"}),
    "synthetic+pseudo_label": (
        "train-ef",
        "train-ef.synthetic+pseudo_label",
        {"caches.synthetic": "STORE", "teachers.synthetic": "TEACHER"},
    ),
    "oracle": ("train-ef", "train-ef.oracle", {"caches.oracle": "STORE"}),
    "r2plus1d_18": ("train-ef", "train-ef.r2plus1d_18", {}),
    "segmentation": ("train-segmentation", "train-segmentation", {}),
    "segmentation, 2 labels": ("train-segmentation", "train-segmentation", {"labels": 2, "seed": 1}),
    "segmentation, synthetic": (
        "train-segmentation",
        "train-segmentation.synthetic",
        {"caches.synthetic": "STORE"},
    ),
    "segmentation, deeplabv3_resnet50": ("train-segmentation", "train-segmentation.deeplabv3_resnet50", {}),
}
"""Job, composed configuration and what is changed in it; STORE and TEACHER are folders."""


def changed(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of ``settings`` with values put in by path."""
    settings = json.loads(json.dumps(settings))
    for path, value in changes.items():
        *groups, name = path.split(".")
        place = settings
        for group in groups:
            place = place[group]
        place[name] = value
    return settings


def keys(configs: Path, work: Path) -> dict[str, str]:
    """The key of every training of `KEYS`.

    Args:
        configs: folder of the composed configurations of today.
        work: an empty folder.
    """
    shutil.copytree(SHARD, work / "store")
    (work / "teacher").mkdir()
    write(work / "teacher" / "result.json", {"key": TEACHER_KEY})
    folders = {"STORE": str(work / "store"), "TEACHER": str(work / "teacher")}
    found = {}
    for name, (job, config, changes) in KEYS.items():
        settings = yaml.safe_load((configs / f"{config}.yaml").read_text(encoding="utf-8"))
        given = {key: folders.get(value, value) if isinstance(value, str) else value for key, value in changes.items()}
        folder = {"data.name": "echonet", "data.root": str(FOLDER)}
        found[name] = training_key(job, changed(settings, folder | given))
    return found


def write_folder() -> None:
    """A table in EchoNet-Dynamic's layout, tracings with it, whose videos are empty files."""
    (FOLDER / "Videos").mkdir(parents=True, exist_ok=True)
    rows = [("A", 55.5, "TRAIN"), ("B", 30, "TRAIN"), ("C", 62.25, "TRAIN"), ("D", 41, "TRAIN")]
    rows += [("V", 50, "VAL"), ("T", 35, "TEST")]
    lines = ["FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"]
    lines += [f"{name},{ef},44.5,100,112,112,50,40,{split}" for name, ef, split in rows]
    (FOLDER / "FileList.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    traces = ["FileName,X1,Y1,X2,Y2,Frame"]
    for name, _, _ in rows:
        for frame, half in ((30, 4), (3, 8)):
            traces.append(f"{name}.avi,15,3,15,17,{frame}")
            traces += [f"{name}.avi,{15 - half},{y},{15 + half},{y},{frame}" for y in range(4, 17, 2)]
    (FOLDER / "VolumeTracings.csv").write_text("\n".join(traces) + "\n", encoding="utf-8", newline="\n")
    for name, _, _ in rows:
        (FOLDER / "Videos" / f"{name}.avi").write_bytes(b"")


# Plans

DONORS = {
    f"M{place:02d}": float(ef) for place, ef in enumerate((15.5, 22, 24.9, 33, 48, 55, 55, 58.25, 61, 63, 64.5, 71))
}
LOOKS = [f"L{place}" for place in range(5)] + ["M03", "M07"]
PLANS: dict[str, dict[str, Any]] = {
    "natural": {"n": 16, "seed": 0, "balance": "natural", "reserve": 0.25},
    "uniform": {"n": 16, "seed": 0, "balance": "uniform", "reserve": 0.25},
    "natural, seed 5": {"n": 9, "seed": 5, "balance": "natural", "reserve": 1.0, "sampler": "ddim-8"},
    "uniform, every pair and more": {"n": 90, "seed": 1, "balance": "uniform", "reserve": 0.0},
    "of one generator": {"n": 4, "fingerprint": "0123456789abcdef", "sampler": "ddim-0"},
}  # fmt: skip


def plan(name: str) -> dict[str, Any]:
    """A plan's digest and its lines, id, motion, look, seed and sampler in one text."""
    made = make_plan(DONORS, LOOKS, **PLANS[name])
    lines, reserve = (
        [f"{one.clip_id} {one.motion_donor} {one.appearance_donor} {one.seed} {one.sampler}".strip() for one in part]
        for part in (made.lines, made.reserve)
    )
    return {"digest": made.digest, "lines": lines, "reserve": reserve}


# Shards


def fixed_clips() -> list[EchoClip]:
    """Three clips: with masks and provenance, shorter, and a real one without labels."""
    rng = np.random.default_rng(7)
    frames = rng.integers(0, 256, (3, 6, 12, 10), dtype=np.uint8)
    frames[:, :, :4] = 0  # compressible
    masks = frames[0] > 128
    made = Provenance(
        "A", "B", 12345678901, "ddim-8", "tiny", "0123456789abcdef", "consensus", {"tempo": 1.05, "start": 0.5}
    )
    other = Provenance("Cö", "A", 3, "ddim-0", "tiny", "0123456789abcdef")
    return [
        EchoClip("x-1", frames[0], 12.5, 55.25, 1, 4, 0.75, masks, made),
        EchoClip("x-0", frames[1, :5], 12.5, 30.0, 0, 3, 1.0, None, other),
        EchoClip("x-2", frames[2], 50.0),
    ]


def libraries() -> dict[str, str]:
    """What decides the bytes of a shard beside our code."""
    return {
        "h5py": version("h5py"),
        "hdf5": h5py.version.hdf5_version,
        "hdf5plugin": version("hdf5plugin"),
        "lz4": f"{version('lz4')}, {lz4.library_version_string()}",
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
    }


def plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else str(value) if value != value else value


def describe(folder: Path) -> dict[str, Any]:
    """Everything that can be read of a store with one shard; ``stored`` is what HDF5 or a compression may change."""
    [path] = sorted((folder / "shards").glob("*.h5"))
    data = path.read_bytes()
    with h5py.File(path, "r") as file:
        table, shapes = file["clips"][()], {name: [list(one.shape), str(one.dtype)] for name, one in file.items()}
    rows = [{name: plain(row[name].item()) for name in table.dtype.names} for row in table]
    crcs = [{name: row.pop(name) for name in ("frames_crc", "masks_crc", "row_crc")} for row in rows]
    return {
        "stored": {
            "name": path.name,
            "size": len(data),
            "sha256": sha256(data),
            "preamble": data[:4096].rstrip(b"\0").hex(),
            "checksums": crcs,
        },
        "head": {"magic": data[:12].hex(), "count": int.from_bytes(data[24:28], "little"),
                 "shape": np.frombuffer(data[28:40], "<u4").tolist()},
        "datasets": shapes,
        "dtype": [[name, table.dtype[name].str] for name in table.dtype.names],
        "rows": rows,
        "clips": [clip_facts(clip) for clip in ClipStore(folder)],
    }  # fmt: skip


def clip_facts(clip: EchoClip) -> dict[str, Any]:
    """A clip as its reader gives it, pixels as hashes."""
    return {
        "clip_id": clip.clip_id,
        "shape": list(clip.frames.shape),
        "frames": sha256(np.ascontiguousarray(clip.frames).tobytes()),
        "fps": float(clip.fps),
        "ef": plain(float(clip.ef)),
        "ed_frame": int(clip.ed_frame),
        "es_frame": int(clip.es_frame),
        "confidence": float(clip.confidence),
        "masks": None if clip.masks is None else sha256(np.packbits(clip.masks).tobytes()),
        "provenance": None if clip.provenance is None else clip.provenance.to_json(),
    }


def seal(folder: Path, compression: str) -> Path:
    """A store with one shard of `fixed_clips`."""
    with StoreWriter(folder, compression=compression, round_frames=6, fingerprint="0123456789abcdef") as writer:
        for clip in fixed_clips():
            writer.add(clip)
    return folder


# Mixing


class Base(torch.utils.data.Dataset[Any]):
    """Twelve items with an EF."""

    EF = (20, 25, 31, 38, 44, 50, 55, 57, 60, 62, 65, 70)

    def __len__(self) -> int:
        return len(self.EF)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"ef": float(self.EF[index]), "drawn": -1}


def to_sample(clip: EchoClip, rng: np.random.Generator) -> dict[str, Any]:
    return {"ef": float(clip.ef), "drawn": int(rng.integers(2**31))}


def half(epoch: int) -> float:
    return min(0.25 * (1 + epoch), 0.75)


MIXES: dict[str, dict[str, Any]] = {
    "replace": {"p": 0.5, "mode": "replace"},
    "extend": {"p": 0.4, "mode": "extend"},
    "replace, bins": {"p": {(0, 40): 0.75, (40, 101): 0.25}, "mode": "replace"},
    "extend, bins": {"p": {(0, 40): 0.6, (40, 101): 0.2}, "mode": "extend"},
    "replace, a list": {"p": [0.25, 0.5, 1.0], "mode": "replace"},
    "replace, a function": {"p": half, "mode": "replace"},
}


def mix(name: str) -> dict[str, list[str]]:
    """Every item of some epochs: the base item, and for a synthetic one its clip and the first number it draws."""
    clips = [
        EchoClip(f"c{place}", np.full((4, 8, 8), place, np.uint8), 50.0, ef)
        for place, ef in enumerate((18.0, 27.0, 35.0, 47.0, 58.0, 66.0, 69.0))
    ]
    found = {}
    for seed in (0, 7):
        data = SyntheticAugment(
            Base(), InMemoryClips(clips), seed=seed, adapter=to_sample, ef=Base.EF, provenance=True, **MIXES[name]
        )
        for epoch in (0, 1, 5):
            data.set_epoch(epoch)
            items = []
            for index in range(len(data)):
                sample = data[index]
                word = f"{data.base_index(index)}"
                if data.is_synthetic(index):
                    word += f" {sample['provenance']['clip_id']} {sample['drawn']}"
                items.append(word)
            found[f"seed {seed}, epoch {epoch}"] = items
    return found


# The bundled generator


def generated() -> dict[str, list[list[float]]]:
    """Mean and standard deviation in grey levels of every frame of a clip of the bundled generator, by steps."""
    pipeline = MCDMPipeline.load("bundled")
    pipeline.set_progress_bar_config(disable=True)
    hearts = []
    for seed in (21, 22):
        drawn = sample_phantom(seed, format=2)
        clip = render(drawn.motion, drawn.appearance, seed=seed)
        hearts.append(make_heart(drawn.name, clip.frames, clip.fps, rate=12.5, size=112))
    motion = window_of(pipeline.encode_motion(hearts[0]), 16, 0.5, 1.05)[None]
    look = torch.from_numpy(hearts[1].reference.copy())[None]
    found = {}
    for steps in (0, 1):
        noise = [torch.Generator().manual_seed(5)]
        frames = pipeline(look, motion, num_inference_steps=steps, generator=noise).clips[0].numpy()
        found[f"{steps} steps"] = [[float(frame.mean()), float(frame.std())] for frame in frames]
    return found


def clip_of_line(root: Path) -> dict[str, Any]:
    """The clip that `load_generator` makes for the first line of a plan: labels, and mean and deviation of frames."""
    generator = load_generator("bundled", root, batch=2)
    donors = sorted(generator.motion_donors)[:2]
    line = make_plan({name: generator.motion_donors[name] for name in donors}, donors, 1, sampler="ddim-0").lines[0]
    [clip] = generator([line])
    facts = clip_facts(clip)
    frames = [[float(frame.mean()), float(frame.std())] for frame in clip.frames]
    return {name: facts[name] for name in ("clip_id", "shape", "fps", "ef", "ed_frame", "es_frame")} | {
        "provenance": {name: value for name, value in facts["provenance"].items() if name != "fingerprint"},
        "frames": frames,
    }


def fingerprints(fill: str) -> dict[str, Any]:
    """What decides whether clips that were made before count as the same generator's.

    Args:
        fill: fingerprint of the cache that the job ``fill-cache`` filled.
    """
    weights = {"weights": bundled_hash(), "clip_code": clip_code(), "arithmetic": arithmetic()}
    return {"version": version("echo-augment"), **weights, "fill": fill}


def layout(folder: Path, skip: Sequence[str] = (".hydra", "README.txt")) -> list[str]:
    """Paths of all files below a folder; the hash in a shard's name, which follows from its pixels, is left out."""
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    kept = [name for name in files if not set(name.split("/")) & set(skip)]
    return sorted(f"{name.rpartition('clips-')[0]}clips-*.h5" if name.endswith(".h5") and "/clips-" in name else name
                  for name in kept)  # fmt: skip
