"""The job ``cache``: info, verify, repair, merge, export, preview, gallery, import and pack."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING, DictConfig

from echo_augment.augmentor.data.ef_units import FACTORS
from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.augmentor.data.packing import pack
from echo_augment.augmentor.data.records import VideoInfo
from echo_augment.augmentor.data.video import write_video
from echo_augment.augmentor.sources.cached import CachedClips
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
from echo_augment.cache.arguments import check_choice, check_number, check_whole
from echo_augment.cache.clip import REAL
from echo_augment.cache.shard.writer import COMPRESSIONS
from echo_augment.cache.system.progress import follow

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
from ..common.dataset import DataSettings, dataset_files
from ..common.inputs import check_caches, check_dataset_folder, check_trainings
from ..common.reporting import REPORT, write_report
from ..common.settings import TEXT, JobSettings, register, settings_from
from ..filling.peers import import_peer_clips
from ..filling.settings import LabelGateSettings
from ..gallery import write_gallery


@dataclass(kw_only=True)
class PeerGateSettings:
    """Gates of other people's clips, beside the image gate.

    Attributes:
        label: a teacher reads each clip; off without one.
    """

    label: LabelGateSettings = field(default_factory=LabelGateSettings)


@dataclass(kw_only=True)
class CacheSettings(JobSettings):
    """What ``cache`` is told.

    Attributes:
        data: ``pack`` and ``import``: the videos.
        action: one of `ACTIONS`.
        cache: folder of a cache; for ``merge`` a list of them, or their names with commas between.
        format: ``export``: ``echonet`` or ``webdataset``.
        split: ``export``: the split of every clip; ``import``: the split to take, or ``all``.
        shard_clips: ``export format=webdataset``: clips in a tar, at most.
        compression: ``pack``: ``lz4``, ``zstd``, ``gzip`` or ``none``.
        clips: ``preview``: how many.
        thumbnail: ``gallery``: pixels of a thumbnail; None for the largest whose page stays small.
        provenance: ``import``: who made the clips.
        fps: ``import``: frames per second to resample to; None for each video's own.
        image_size: ``import``: height and width in pixels to scale to; None for each video's own.
        against: ``import``: folder of the real data set; a clip that is one of its videos is refused.
        against_ef_unit: ``import``: unit of that data set's EF; None for that of ``data``.
        exclude: ``export``: file of clips to leave out, as the gallery saves it, or a list of ids; None for none.
        gates: ``import``: see `PeerGateSettings`.
    """

    data: DataSettings = field(default_factory=lambda: DataSettings(name="echonet", root=None))
    action: str = "info"
    cache: Any = field(default=MISSING, metadata=TEXT)
    format: str = "echonet"
    split: str = "TRAIN"
    shard_clips: int = 256
    compression: str = "lz4"
    clips: int = 12
    thumbnail: int | None = None
    provenance: str | None = None
    fps: int | float | None = None
    image_size: int | None = None
    against: str | None = None
    against_ef_unit: str | None = None
    exclude: Any = None
    gates: PeerGateSettings = field(default_factory=PeerGateSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("action", self.action, list(ACTIONS))
        check_choice("format", self.format, ("echonet", "webdataset"))
        check_choice("compression", self.compression, list(COMPRESSIONS))
        check_whole("shard_clips", self.shard_clips, 1)
        check_whole("clips", self.clips, 1)
        if self.thumbnail is not None:
            check_whole("thumbnail", self.thumbnail, 1)
        if self.exclude is not None and self.action != "export":
            raise EchoAugmentError(f"exclude= is for action=export, got action={self.action}", "Leave it out")
        if self.gates.label.on and self.action != "import":
            raise EchoAugmentError(f"gates.label is for action=import, got action={self.action}", "Leave it out")
        if self.action != "merge" and len(self.folders) != 1:
            raise EchoAugmentError(f"action={self.action} takes one cache, got {len(self.folders)}")
        if self.action == "import" and None in (self.data.root, self.provenance):
            raise EchoAugmentError(
                "action=import needs a data set and its makers", 'Add data.root=FOLDER provenance="EchoNet-Synthetic"'
            )
        if self.action == "pack" and self.data.root is None:
            raise EchoAugmentError("action=pack needs a data set", "Add data=echonet data.root=FOLDER")

        if self.fps is not None:
            check_number("fps", self.fps, 0, above_low=True)
        if self.image_size is not None:
            check_whole("image_size", self.image_size, 1)
        if self.against_ef_unit is not None:
            check_choice("against_ef_unit", self.against_ef_unit, tuple(FACTORS))

    def check_inputs(self) -> None:
        """Look for the caches and the data sets."""
        if self.action in ("import", "pack"):
            self.data.check_inputs()
        else:
            check_caches("cache", map(str, self.folders))
        check_dataset_folder(self.against)
        check_trainings("gates.label.teacher", [self.gates.label.teacher])
        if isinstance(self.exclude, str) and not Path(self.exclude).is_file():
            raise EchoAugmentError(
                f"exclude={self.exclude}: there is no such file", "Give the list that the gallery saves"
            )

    @property
    def folders(self) -> list[Path]:
        """The folders that ``cache`` names."""
        names = self.cache if isinstance(self.cache, list) else str(self.cache).split(",")
        return [Path(name) for name in names]

    @property
    def folder(self) -> Path:
        """The one folder that ``cache`` names."""
        return self.folders[0]


def run(cfg: DictConfig) -> None:
    """Do what ``action`` says with a cache.

    Raises:
        EchoAugmentError: an unknown action, no such cache, or, from ``verify``, damage.
    """
    settings = settings_from(cfg, CacheSettings)
    ACTIONS[settings.action](settings)


def report(settings: CacheSettings, **figures: Any) -> Path:
    """Write the report of an action and return its path."""
    write_report(settings.out, "cache", settings, {"action": settings.action, **figures})
    return Path(settings.out) / REPORT


def show_info(settings: CacheSettings) -> None:
    """Print the figures of a cache."""
    figures = info(settings.folder).to_json()
    for key, value in figures.items():
        print(f"{key}: {value}")
    print(f"report: {report(settings, **figures)}")


def run_verify(settings: CacheSettings) -> None:
    """Read every byte; damage is an error."""
    folder = settings.folder
    damage = verify(folder, progress=True)
    for one in damage:
        print(one.what)
    path = report(settings, damage=[one.to_json() for one in damage])
    if damage:
        raise EchoAugmentError(
            f"{len(damage)} damaged parts in {folder}, listed in {path}",
            f"Run: echo-augment cache action=repair cache={folder}",
        )
    print(f"every byte of {folder} is as it was written; report: {path}")


def run_repair(settings: CacheSettings) -> None:
    """Keep what is whole."""
    folder = settings.folder
    result = repair(folder, progress=True)
    path = report(settings, **result.to_json())
    if not result.shards:
        print(f"nothing to repair in {folder}; report: {path}")
        return
    print(
        f"{len(result.shards)} damaged shards are now in {folder / 'quarantine'}, {result.kept} clips of them are kept "
        f"and fill-cache makes the others again; report: {path}"
    )


def run_merge(settings: CacheSettings) -> None:
    """Join caches into ``out``."""
    added = merge(settings.folders, settings.out)
    store = ClipStore(settings.out)
    path = report(settings, added=added, clips=len(store), fingerprint=store.fingerprint)
    print(f"{added} clips were added, {len(store)} are now in {settings.out}; report: {path}")


def run_export(settings: CacheSettings) -> None:
    """Write a cache to ``out``, in EchoNet-Dynamic's layout or as tar shards."""
    source = CachedClips(settings.folder, exclude=settings.exclude)
    store, places, facts = source.store, source.places, {"clips": len(source), "fingerprint": source.fingerprint}
    if settings.format == "webdataset":
        names = export_webdataset(store, settings.out, shard_clips=settings.shard_clips, places=places)
        path = report(settings, shards=names, **facts)
        print(f"{len(source)} clips are in {len(names)} tar files in {settings.out}; report: {path}")
        return
    traced = export_echonet(store, settings.out, write_video, split=settings.split, places=places)
    path = report(settings, traced=traced, **facts)
    left = len(source) - traced
    note = f" ({left} without masks have no tracings; the echonet package leaves those out)" if left else ""
    print(f"{len(source)} clips are in {settings.out}{note}; report: {path}")


def run_pack(settings: CacheSettings) -> None:
    """Decode the videos of ``data`` into the store ``cache``."""
    folder = settings.folder

    def progress(rows: list[VideoInfo]) -> Iterable[VideoInfo]:
        return follow(rows, "pack", unit="video")

    result = pack(dataset_files(settings.data), folder, compression=settings.compression, progress=progress)
    path = report(settings, **result.to_json(), fingerprint=REAL)
    left = f" ({len(result.skipped)} could not be packed, listed in the report)" if result.skipped else ""
    print(
        f"{result.packed} of {result.wanted} videos are in {folder}{left}, {result.size / 1e6:.1f} MB; use "
        f"EchoNetDynamic(root, store={str(folder)!r}); report: {path}"
    )


TILE_HEIGHT, COLUMNS = 168, 4  # of the preview, in pixels and in clips


def run_preview(settings: CacheSettings) -> None:
    """Write ``preview.png`` and ``preview.gif`` to ``out``."""
    store = ClipStore(settings.folder)
    clips = choose_clips(store, settings.clips)
    out = Path(settings.out)
    still = [[Tile(", ".join(caption(clip)), strip(clip.frames))] for clip in clips]
    moving = [Tile("\n".join(caption(clip)), clip.frames) for clip in clips]
    write_picture(out / "preview.png", png(draw_sheet(still, height=TILE_HEIGHT)))
    film = draw_film(in_rows(moving, COLUMNS), height=TILE_HEIGHT)
    write_picture(out / "preview.gif", gif(film, clips[0].fps))
    report(settings, shown=[clip.clip_id for clip in clips], fingerprint=store.fingerprint)
    print(f"{len(clips)} clips are shown in {out / 'preview.png'} and {out / 'preview.gif'}")


def run_gallery(settings: CacheSettings) -> None:
    """Write ``gallery.html`` to ``out``."""
    folder = settings.folder
    page = write_gallery(folder, settings.out, thumbnail=settings.thumbnail, progress=True)
    report(settings, **page.to_json(), fingerprint=ClipStore(folder).fingerprint)
    print(f"{page.clips} clips are shown in {page.path} ({page.size / 1e6:.1f} MB); open it in a browser")


def run_import(settings: CacheSettings) -> None:
    """Make a ready-made synthetic set in ``data.root`` the cache ``cache``."""
    real, data = settings.against, settings.data
    unit = settings.against_ef_unit or data.ef_unit
    done = import_peer_clips(
        dataset_files(settings.data),
        settings.folder,
        origin=str(settings.provenance),
        split=settings.split,
        fps=settings.fps,
        image_size=settings.image_size,
        against=None if real is None else find_files(real, ef_unit=unit, follow_links=data.follow_links),
        label_gate=settings.gates.label,
        device=settings.device,
    )
    path = report(settings, **done.to_json(), fingerprint=done.summary.fingerprint)
    print(f"{done}; report: {path}")


ACTIONS: dict[str, Callable[[CacheSettings], None]] = {
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
register("cache", CacheSettings)
