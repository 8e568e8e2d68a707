"""The ``phantom`` job: write a data set of them, or hold their look and motion against real clips."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.data.phantom.likeness.pixels import compare_figures, format_table
from echo_augment.augmentor.data.phantom.sampling import FORMAT, check_kind
from echo_augment.augmentor.data.phantom.sets import RECORDINGS
from echo_augment.cache.arguments import check_choice, check_number, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

from ..common.contact_sheet import Tile, draw_sheet, in_rows, png, strip, write_picture
from ..common.dataset import check_splits
from ..common.phantom_likeness import bundled_codec, folder_figures, read_clips
from ..common.reporting import REPORT, write_report
from ..common.settings import JobSettings, register, settings_from

TILES_OF_SHEET, TILE_HEIGHT = 12, 180
KINDS = ("real", "phantom")


@dataclass(kw_only=True)
class RealSettings:
    """Real clips to compare phantoms with.

    Attributes:
        root: folder in EchoNet-Dynamic's layout; None for none.
    """

    root: str | None = None


@dataclass(kw_only=True)
class PhantomSettings(JobSettings):
    """What ``phantom`` is told.

    Attributes:
        action: ``write`` makes ``out`` a data set of phantoms, ``compare`` reports how real they look.
        n: ``write``: phantoms.
        frames: frames of a clip.
        fps: frames per second.
        workers: processes; None for one a core, or one alone if ``n`` is small.
        format: 3 for hearts that move freely, 2 for those that only contract.
        population: ``A``, or ``B`` for another scanner.
        recording: ``fixed``, or ``table`` for frame rates and lengths as in EchoNet-Dynamic.
        label_noise: standard deviation of the error of TRAIN's and VAL's EF, in points.
        splits: shares of TRAIN, VAL and TEST.
        compare_clips: ``compare``: phantoms.
        most_real: ``compare``: real clips, at most.
        data: ``compare``: the real clips.
    """

    action: str = "write"
    n: int = 400
    frames: int = 100
    fps: int | float = 50
    workers: int | None = None
    format: int = FORMAT
    population: str = "A"
    recording: str = "fixed"
    label_noise: float = 0.0
    splits: list[float] = field(default_factory=lambda: [0.75, 0.125, 0.125])
    compare_clips: int = 48
    most_real: int = 200
    data: RealSettings = field(default_factory=RealSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("action", self.action, list(ACTIONS))
        for name in ("n", "compare_clips", "most_real"):
            check_whole(name, getattr(self, name), 1)
        check_whole("frames", self.frames, 2)
        check_number("fps", self.fps, 0, above_low=True)
        if self.workers is not None:
            check_whole("workers", self.workers, 1)
        check_splits("splits", self.splits)
        check_kind(self.format, self.population)
        check_choice("recording", self.recording, list(RECORDINGS))
        check_number("label_noise", self.label_noise, 0, 50)
        if self.action == "compare" and self.data.root is None:
            raise EchoAugmentError(
                "action=compare needs real clips", "Add data.root=FOLDER, in EchoNet-Dynamic's layout"
            )
        if self.action == "write" and self.data.root is not None:
            raise EchoAugmentError(
                f"data.root={self.data.root} is for action=compare; phantoms are written to out",
                "Give out=FOLDER alone, or action=compare",
            )

    def check_inputs(self) -> None:
        """Look for the real clips."""
        videos = None if self.data.root is None else Path(self.data.root) / "Videos"
        if videos is not None and not videos.is_dir():
            raise EchoAugmentError(f"{videos}: there is no such folder", "data.root= is a folder of real clips")


def run(cfg: DictConfig) -> None:
    """Write phantoms as a data set, or compare them with real clips.

    Raises:
        EchoAugmentError: a setting out of range, or no real clips to compare with.
    """
    settings = settings_from(cfg, PhantomSettings)
    ACTIONS[settings.action](settings)


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast phantoms were written; ``written`` leaves out those that were there already."""

    written: int
    seconds: float

    def to_json(self) -> dict[str, JsonValue]:
        """Return the figures as plain JSON."""
        return {"written": self.written, "seconds": self.seconds, "clips_per_second": self.written / self.seconds}


def write_set(settings: PhantomSettings, root: Path, n: int) -> Speed:
    """Write ``n`` phantoms to ``root`` and print how fast."""
    before = sum(1 for _ in root.glob("Videos/*.avi"))
    began = time.perf_counter()
    write_phantoms(
        root,
        n,
        seed=settings.seed,
        num_frames=settings.frames,
        fps=settings.fps,
        workers=settings.workers,
        splits=settings.splits,
        format=settings.format,
        population=settings.population,
        recording=settings.recording,
        label_noise=settings.label_noise,
    )
    seconds, made = time.perf_counter() - began, n - before
    if made > 0:
        print(f"{made} clips of {settings.frames} frames in {seconds:.1f} s: {made / seconds:.2f} clips a second")
    return Speed(made, seconds)


def write(settings: PhantomSettings) -> None:
    """Make ``out`` a data set of ``n`` phantoms."""
    out = Path(settings.out)
    speed = write_set(settings, out, settings.n)
    table = read_table(out)
    ef = [row.ef for row in table.rows]
    spread = {"mean": np.mean(ef), "sd": np.std(ef), "min": min(ef), "max": max(ef)}
    figures = {"n": settings.n, "ef": spread, **speed.to_json()}
    write_report(out, "phantom", settings, {"action": "write", "seeds": [settings.seed], **figures})
    print(f"{settings.n} phantoms, EF {np.mean(ef):.1f} +- {np.std(ef):.1f} %, are in {out}")


def compare(settings: PhantomSettings) -> None:
    """Write ``report.json`` and ``contact_sheet.png`` on how phantoms and real clips look and move."""
    out = Path(settings.out)
    real = read_clips(Path(str(settings.data.root)), settings.most_real)
    write_set(settings, out / "phantoms", settings.compare_clips)
    made = read_clips(out / "phantoms")
    codec = bundled_codec()
    appearance = {kind: folder_figures(clips, codec, kind) for kind, clips in zip(KINDS, (real, made), strict=True)}
    table = compare_figures(list(appearance["real"].values()), list(appearance["phantom"].values()))
    pairs = zip(real.items(), made.items(), strict=False)
    tiles = [
        Tile(f"{kind} {name}", strip(clip.frames[:60]))
        for pair in pairs
        for kind, (name, clip) in zip(KINDS, pair, strict=True)
    ]
    write_picture(out / "contact_sheet.png", png(draw_sheet(in_rows(tiles[:TILES_OF_SHEET], 2), height=TILE_HEIGHT)))
    figures = {
        "action": "compare",
        "table": {key: row.to_json() for key, row in table.items()},
        "clips": appearance,
        "seeds": [settings.seed],
    }
    write_report(out, "phantom", settings, figures)
    print(format_table(table))
    outside = [key for key, row in table.items() if not row.within]
    alike = (len(real) - 1) / (len(real) + 1)
    print(f"(of clips of the very same kind, {alike:.0%} would lie between the least and the largest of {len(real)})")
    verdict = f"outside for {', '.join(outside)}" if outside else "inside the real clips' spread for every figure"
    print(f"the phantoms' median is {verdict}; see {out / REPORT} and {out / 'contact_sheet.png'}")


ACTIONS: dict[str, Callable[[PhantomSettings], None]] = {"write": write, "compare": compare}
register("phantom", PhantomSettings)
