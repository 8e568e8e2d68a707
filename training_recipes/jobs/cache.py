"""The job ``cache``: info, verify, repair, merge, export, preview, gallery, import and pack."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig
from tqdm import tqdm

from echo_augment.augmentor.data.packing import pack
from echo_augment.augmentor.data.records import VideoInfo
from echo_augment.augmentor.data.video import write_video
from echo_augment.cache import (
    ClipStore,
    EchoAugmentError,
    export_echonet,
    export_webdataset,
    info,
    merge,
    repair,
    verify,
)
from echo_augment.cache.clip import REAL

from ..common.contact_sheet import (
    Tile,
    caption,
    choose_clips,
    draw_film,
    draw_sheet,
    gif,
    in_rows,
    png,
    strip,
    write_picture,
)
from ..common.dataset import DataSettings, dataset_root
from ..common.reporting import write_report
from ..common.settings import settings_from
from ..filling.peers import import_peer_clips
from ..gallery import write_gallery


def run(cfg: DictConfig) -> None:
    """Do ``cfg.action`` with the cache ``cfg.cache``.

    Raises:
        EchoAugmentError: an unknown action, no such cache, or, from ``verify``, damage.
    """
    if cfg.action not in ACTIONS:
        raise EchoAugmentError(f"action must be one of {', '.join(ACTIONS)}, got {cfg.action!r}")
    ACTIONS[cfg.action](cfg)


def folders_of(cfg: DictConfig) -> list[Path]:
    """The cache folders that ``cfg.cache`` names."""
    names = list(cfg.cache) if isinstance(cfg.cache, ListConfig) else str(cfg.cache).split(",")
    return [Path(name) for name in names]


def one_folder(cfg: DictConfig) -> Path:
    """The one cache folder.

    Raises:
        EchoAugmentError: there are several.
    """
    folders = folders_of(cfg)
    if len(folders) != 1:
        raise EchoAugmentError(f"action={cfg.action} takes one cache, got {len(folders)}")
    return folders[0]


def report(cfg: DictConfig, **figures: Any) -> Path:
    """Write the report of an action."""
    return write_report(cfg.out, "cache", cfg, {"action": cfg.action, **figures})


def show_info(cfg: DictConfig) -> None:
    """Print the figures of a cache."""
    figures = info(one_folder(cfg)).to_json()
    for key, value in figures.items():
        print(f"{key}: {value}")
    print(f"report: {report(cfg, **figures)}")


def run_verify(cfg: DictConfig) -> None:
    """Read every byte; damage is an error."""
    folder = one_folder(cfg)
    damage = verify(folder, progress=True)
    for one in damage:
        print(one.what)
    path = report(cfg, damage=[one.to_json() for one in damage])
    if damage:
        raise EchoAugmentError(
            f"{len(damage)} damaged parts in {folder}, listed in {path}",
            f"Run: echo-augment cache action=repair cache={folder}",
        )
    print(f"every byte of {folder} is as it was written; report: {path}")


def run_repair(cfg: DictConfig) -> None:
    """Keep what is whole."""
    folder = one_folder(cfg)
    result = repair(folder, progress=True)
    path = report(cfg, **result.to_json())
    if not result.shards:
        print(f"nothing to repair in {folder}; report: {path}")
        return
    print(
        f"{len(result.shards)} damaged shards are now in {folder / 'quarantine'}, {result.kept} clips of them are kept "
        f"and fill-cache makes the others again; report: {path}"
    )


def run_merge(cfg: DictConfig) -> None:
    """Join caches into ``cfg.out``."""
    added = merge(folders_of(cfg), cfg.out)
    store = ClipStore(cfg.out)
    path = report(cfg, added=added, clips=len(store), fingerprint=store.fingerprint)
    print(f"{added} clips were added, {len(store)} are now in {cfg.out}; report: {path}")


def run_export(cfg: DictConfig) -> None:
    """Write a cache to ``cfg.out``, in EchoNet-Dynamic's layout or as tar shards."""
    if cfg.format not in ("echonet", "webdataset"):
        raise EchoAugmentError(f"format must be echonet or webdataset, got {cfg.format!r}")
    store = ClipStore(one_folder(cfg))
    if cfg.format == "webdataset":
        names = export_webdataset(store, cfg.out, shard_clips=cfg.shard_clips)
        path = report(cfg, clips=len(store), shards=names, fingerprint=store.fingerprint)
        print(f"{len(store)} clips are in {len(names)} tar files in {cfg.out}; report: {path}")
        return
    traced = export_echonet(store, cfg.out, write_video, split=cfg.split)
    path = report(cfg, clips=len(store), traced=traced, fingerprint=store.fingerprint)
    left = len(store) - traced
    note = f" ({left} without masks have no tracings; the echonet package leaves those out)" if left else ""
    print(f"{len(store)} clips are in {cfg.out}{note}; report: {path}")


def run_pack(cfg: DictConfig) -> None:
    """Decode the videos of ``cfg.data`` into the store ``cfg.cache``."""
    if cfg.data.root is None:
        raise EchoAugmentError("action=pack needs a data set", "Add data=echonet data.root=FOLDER")
    folder = one_folder(cfg)

    def progress(rows: list[VideoInfo]) -> Iterable[VideoInfo]:
        return tqdm(rows, desc="pack", unit="video")

    result = pack(
        dataset_root(settings_from(cfg.data, DataSettings)), folder, compression=cfg.compression, progress=progress
    )
    path = report(cfg, **result.to_json(), fingerprint=REAL)
    left = f" ({len(result.skipped)} could not be packed, listed in the report)" if result.skipped else ""
    print(
        f"{result.packed} of {result.wanted} videos are in {folder}{left}, {result.size / 1e6:.1f} MB; use "
        f"EchoNetDynamic(root, store={str(folder)!r}); report: {path}"
    )


TILE_HEIGHT, COLUMNS = 168, 4  # of the preview, in pixels and in clips


def run_preview(cfg: DictConfig) -> None:
    """Write ``preview.png`` and ``preview.gif`` to ``cfg.out``."""
    store = ClipStore(one_folder(cfg))
    clips = choose_clips(store, cfg.clips)
    out = Path(cfg.out)
    still = [[Tile(", ".join(caption(clip)), strip(clip.frames))] for clip in clips]
    moving = [Tile("\n".join(caption(clip)), clip.frames) for clip in clips]
    write_picture(out / "preview.png", png(draw_sheet(still, height=TILE_HEIGHT)))
    film = draw_film(in_rows(moving, COLUMNS), height=TILE_HEIGHT)
    write_picture(out / "preview.gif", gif(film, clips[0].fps))
    report(cfg, shown=[clip.clip_id for clip in clips], fingerprint=store.fingerprint)
    print(f"{len(clips)} clips are shown in {out / 'preview.png'} and {out / 'preview.gif'}")


def run_gallery(cfg: DictConfig) -> None:
    """Write ``gallery.html`` to ``cfg.out``."""
    folder = one_folder(cfg)
    page = write_gallery(folder, cfg.out, thumbnail=cfg.thumbnail, progress=True)
    report(cfg, **page.to_json(), fingerprint=ClipStore(folder).fingerprint)
    print(f"{page.clips} clips are shown in {page.path} ({page.size / 1e6:.1f} MB); open it in a browser")


def run_import(cfg: DictConfig) -> None:
    """Make a ready-made synthetic set in ``cfg.data.root`` the cache ``cfg.cache``."""
    if cfg.data.root is None or cfg.provenance is None:
        raise EchoAugmentError(
            "action=import needs a data set and its makers", 'Add data.root=FOLDER provenance="EchoNet-Synthetic"'
        )
    done = import_peer_clips(
        cfg.data.root,
        one_folder(cfg),
        origin=str(cfg.provenance),
        split=str(cfg.split),
        fps=cfg.fps,
        image_size=cfg.image_size,
        against=cfg.against,
    )
    path = report(cfg, **done.to_json(), fingerprint=done.summary.fingerprint)
    print(f"{done}; report: {path}")


ACTIONS: dict[str, Callable[[DictConfig], None]] = {
    "info": show_info,
    "verify": run_verify,
    "repair": run_repair,
    "merge": run_merge,
    "export": run_export,
    "preview": run_preview,
    "gallery": run_gallery,
    "import": run_import,
    "pack": run_pack,
}
