"""The ``phantom`` job: write phantoms as a data set, or compare their look with real clips in figures and by eye."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from omegaconf import DictConfig

from echo_augment.augmentor.data.phantom import load_phantoms, volume_curve, write_phantoms
from echo_augment.augmentor.data.phantom.realism import clip_figures, compare_figures, format_table
from echo_augment.augmentor.data.video import read_video
from echo_augment.cache.errors import EchoAugmentError

from ..common.contact_sheet import Tile, draw_sheet, in_rows, png, strip, write_picture
from ..common.reporting import write_report

Frames = npt.NDArray[np.uint8]
TILES_OF_SHEET, TILE_HEIGHT = 12, 180


def run(cfg: DictConfig) -> None:
    """Do ``cfg.action``: ``write`` makes ``cfg.out`` a data set of phantoms, ``compare`` reports how real they look.

    Raises:
        EchoAugmentError: an unknown action, a setting out of range, or no real clips to compare with.
    """
    actions = {"write": write, "compare": compare}
    if cfg.action not in actions:
        raise EchoAugmentError(f"action must be write or compare, got {cfg.action}")
    actions[cfg.action](cfg)


def write_set(cfg: DictConfig, root: Path, n: int) -> dict[str, Any]:
    """Write ``n`` phantoms to ``root`` and say how fast."""
    before = sum(1 for _ in root.glob("Videos/*.avi"))
    began = time.perf_counter()
    settings: dict[str, Any] = {"num_frames": cfg.frames, "fps": cfg.fps, "workers": cfg.workers}
    write_phantoms(root, n, seed=cfg.seed, splits=tuple(cfg.splits), **settings)
    seconds, made = time.perf_counter() - began, n - before
    if made > 0:
        print(f"{made} clips of {cfg.frames} frames in {seconds:.1f} s: {made / seconds:.2f} clips a second")
    return {"written": made, "seconds": seconds, "clips_per_second": made / seconds}


def write(cfg: DictConfig) -> None:
    """Make ``cfg.out`` a data set of ``cfg.n`` phantoms."""
    out = Path(cfg.out)
    speed = write_set(cfg, out, cfg.n)
    timing = {"num_frames": cfg.frames, "fps": cfg.fps}
    ef = [volume_curve(p.motion, p.appearance, **timing).ef for p in load_phantoms(out).values()]
    figures = {"n": cfg.n, "ef": {"mean": np.mean(ef), "sd": np.std(ef), "min": min(ef), "max": max(ef)}, **speed}
    write_report(out, "phantom", cfg, {"action": "write", "seeds": [cfg.seed], **figures})
    print(f"{cfg.n} phantoms, EF {np.mean(ef):.1f} +- {np.std(ef):.1f} %, are in {out}")


def read_clips(root: Path, most: int | None = None) -> dict[str, tuple[Frames, float]]:
    """The videos of a data set's folder by name, in order, as ``(frames, fps)``; the first ``most`` of them."""
    paths = sorted((root / "Videos").glob("*.avi"))[:most]
    if not paths:
        raise EchoAugmentError(f"{root}: has no Videos/*.avi", "Give data.root=, a folder in EchoNet-Dynamic's layout")
    return {path.stem: read_video(path) for path in paths}


def compare(cfg: DictConfig) -> None:
    """Write ``report.json`` and ``contact_sheet.png`` on how phantoms and the clips of ``cfg.data.root`` look."""
    out = Path(cfg.out)
    if cfg.data.root is None:
        raise EchoAugmentError("action=compare needs real clips", "Add data.root=FOLDER, in EchoNet-Dynamic's layout")
    real = read_clips(Path(cfg.data.root), cfg.most_real)
    write_set(cfg, out / "phantoms", cfg.compare_clips)
    made = read_clips(out / "phantoms")
    looks = {
        kind: {name: clip_figures(frames, fps) for name, (frames, fps) in clips.items()}
        for kind, clips in (("real", real), ("phantom", made))
    }
    table = compare_figures(list(looks["real"].values()), list(looks["phantom"].values()))
    pairs = zip(real.items(), made.items(), strict=False)
    tiles = [
        Tile(f"{kind} {name}", strip(clip[0][:60]))
        for pair in pairs
        for kind, (name, clip) in zip(KINDS, pair, strict=True)
    ]
    write_picture(out / "contact_sheet.png", png(draw_sheet(in_rows(tiles[:TILES_OF_SHEET], 2), height=TILE_HEIGHT)))
    figures = {
        "action": "compare",
        "table": {key: row.to_json() for key, row in table.items()},
        "clips": looks,
        "seeds": [cfg.seed],
    }
    path = write_report(out, "phantom", cfg, figures)
    print(format_table(table))
    outside = [key for key, row in table.items() if not row.within]
    alike = (len(real) - 1) / (len(real) + 1)
    print(f"(of clips of the very same kind, {alike:.0%} would lie between the least and the largest of {len(real)})")
    verdict = f"outside for {', '.join(outside)}" if outside else "inside the real clips' spread for every figure"
    print(f"the phantoms' median is {verdict}; see {path} and {out / 'contact_sheet.png'}")


KINDS = ("real", "phantom")
