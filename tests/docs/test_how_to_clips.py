"""The commands of the guides on clips run as they stand, in a folder where what they name is there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.cache import fake_plan, generate
from fakes.peers import ROWS, write_set
from hydra import compose, initialize_config_module

from echo_augment.augmentor import CachedClips, SyntheticAugment
from echo_augment.augmentor.data import read_video, write_video
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, PlanLine, Provenance, StoreWriter, fill
from echo_augment.training_recipes.cli import find_jobs

GUIDES = Path(__file__).parents[2] / "docs" / "how-to"
RUN = ("cache",)  # a benchmark takes minutes: its command is composed


def blocks(guide, language):
    text = (GUIDES / guide).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(command):
    program, job, *overrides = shlex.split(command.replace("\\\n", " "))
    assert program == "echo-augment"
    found = find_jobs()[job].load()  # registers the job's settings
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose(job, overrides)
    if job in RUN:
        found(cfg)
    return cfg


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_gallery(folder, capsys):
    fill(fake_plan(12), generate, folder / "cache" / "dynamic", progress=False)
    ids = ClipStore("cache/dynamic").ids
    look, benchmark = (block.strip() for block in blocks("gallery.md", "bash"))
    run(look)
    assert (folder / "runs" / "gallery" / "gallery.html").is_file()
    (folder / "exclude.txt").write_text(f"{ids[2]}\n{ids[5]}\n")
    exec(blocks("gallery.md", "python")[0], {})
    assert "10 clips are left, fingerprint fake-1-without-2-" in capsys.readouterr().out
    cfg = run(benchmark)
    assert cfg.arm.synthetic.exclude == "exclude.txt" and cfg.caches.synthetic == "cache/dynamic"


def test_peer_clips(folder, capsys):
    write_set(folder / "data" / "echonet-synthetic", ROWS)
    write_set(
        folder / "data" / "real",
        [(f"r{k}", 50 + k, split) for k, split in enumerate(["TRAIN", "VAL", "TEST"])],
        frames=64,
    )
    make, look, compare = (block.strip().splitlines() for block in blocks("peer-clips.md", "bash"))
    for command in make:
        run(command)
    said = capsys.readouterr().out
    assert "2 of 3 clips of EchoNet-Synthetic are in cache/peer" in said and "every byte of cache/peer" in said
    exec(blocks("peer-clips.md", "python")[0], {})
    assert "(3, 16, 32, 32)" in capsys.readouterr().out
    cfg = run(look[0])
    assert (cfg.clips, cfg.reader.teacher, cfg.data.root) == ("cache/peer", "runs/teacher", "data/real")
    cfg = run(compare[0])
    assert list(cfg.arm) == ["real", "synthetic", "peer"] and cfg.caches.peer == "cache/peer"


def test_tables(folder):
    fill(fake_plan(4), generate, folder / "cache" / "site2", progress=False)
    lines = ["MRN;clip file;LVEF biplane;set"]
    for number, split in enumerate(("train", "train", "val")):
        frames = np.random.default_rng(number).integers(0, 200, (70, 24, 24), dtype=np.uint8)
        write_video(folder / "data" / "site2" / "clips" / f"c{number}.mp4", frames, 50)
        lines.append(f"{number};c{number};5{number},5;{split}")
    (folder / "data" / "site2" / "labels.csv").write_text("\n".join(lines))
    names = {}
    exec(blocks("tables.md", "python")[0], names)
    assert len(names["base"]) == 2 and names["train"][0][0].shape == (3, 32, 24, 24)


def test_samplers_and_splits(folder):
    root = write_phantoms(folder / "data" / "echonet", 8, num_frames=40, workers=1, splits=(1, 0, 0))
    names = sorted(path.stem for path in (root / "Videos").iterdir())
    part, whole, sampler = blocks("samplers-and-splits.md", "python")
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0)).tolist()  # as random_split draws
    lines = [PlanLine(f"c{k}", *[names[order[0]]] * 2, seed=k) for k in range(4)]
    pixels = read_video(root / "Videos" / f"{names[0]}.avi")[0][:20]
    with StoreWriter(folder / "cache" / "dynamic") as writer:
        for number, line in enumerate(lines):
            donors = Provenance(motion_donor=line.motion_donor, appearance_donor=line.appearance_donor, seed=0)
            writer.add(EchoClip(line.clip_id, pixels, 50.0, ef=30.0 + number, provenance=donors))
    found = {}
    exec(part, found)
    assert len(found["train"]) == 6 and len(found["validation"]) == 2
    with pytest.raises(EchoAugmentError, match="does not serve"):
        SyntheticAugment(found["validation"], CachedClips("cache/dynamic"))
    exec(whole, found)
    assert [found["evaluated"][place][1] for place in range(2)] == [
        found["data"][int(place)][1] for place in found["held_back"].indices
    ]
    exec(sampler, found)
    served = {round(float(found["train"][place][1]), 3) for place in range(6)}
    assert set(np.round(found["train"].weights(), 3)) == served
    assert {round(float(ef), 3) for ef in found["drawn"]} <= served and len(found["drawn"]) == 6
