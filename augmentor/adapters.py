"""Adapters make samples in the form of the wrapped dataset from clips; `EchoAdapter` is the one for Echo-like sets."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError

from .data.echonet import EchoNetDynamic
from .data.layouts.finding import VIDEOS
from .data.video import open_video
from .sources.source import ClipSource
from .video_format import VideoFormat
from .wrapping import leaves, locate

Adapter = Callable[[EchoClip, np.random.Generator], Any]


def adapters_for(
    base: Any, source: ClipSource, adapter: Adapter | None = None, fps: float | None = None
) -> list[tuple[Any, Adapter]]:
    """Return each innermost dataset of ``base`` with its adapter; if ``adapter`` is given, one pair with ``base``.

    Raises:
        EchoAugmentError: a dataset whose samples are not known to be Echo's and no ``adapter``; a target or clip that
            does not fit.
    """
    if adapter is not None:
        return [(base, adapter)]
    pairs: list[tuple[Any, Adapter]] = []
    for leaf in leaves(base, known=True):
        if not makes_echo_samples(leaf):
            raise EchoAugmentError(
                f"SyntheticAugment does not know what a sample of {type(leaf).__name__} looks like{changed_by(leaf)}",
                "Give it adapter=, a callable (clip, rng) -> sample; see help(SyntheticAugment) for one",
            )
        echo = EchoAdapter.of(leaf, fps=fps)
        echo.check(source)
        pairs.append((leaf, echo))
    return pairs


def base_ef(base: Any, given: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
    """Return the EF in percent of every item of ``base``, ``(N,)``: ``given``, or the ``EF`` column of the datasets.

    Raises:
        EchoAugmentError: neither is known, or ``given`` has another length.
    """
    if given is not None:
        values = np.asarray(given, np.float64)
        if values.shape != (len(base),):
            raise EchoAugmentError(f"ef must have one value per item, ({len(base)},), got {values.shape}")
        return values
    columns = {id(leaf): column(leaf, "EF") if _own_rows(leaf) else [] for leaf in leaves(base, known=True)}
    if not all(columns.values()):
        raise EchoAugmentError("EF bins need the EF of every item of the dataset", "Give ef=[...], one value per item")
    places = (locate(base, index, known=True) for index in range(len(base)))
    return np.array([number(columns[id(leaf)][place]) for leaf, place in places], np.float64)


def _own_rows(dataset: Any) -> bool:
    """Return whether item i is row i of the table: not so where a wrapper passes on the attributes of another."""
    return "outcome" in vars(dataset) or hasattr(type(dataset), "outcome") if hasattr(dataset, "__dict__") else False


ATTRIBUTES = ("mean", "std", "length", "max_length", "period", "clips", "pad", "noise", "target_type")
TRACES = ("LargeTrace", "SmallTrace")
INDICES = ("LargeIndex", "SmallIndex")
FRAMES = ("LargeFrame", "SmallFrame")
HONEST = ("EF", "Filename", *INDICES, *FRAMES, *TRACES)
BROKEN_BY_NUMPY = (*INDICES, *TRACES)


def is_echo_like(dataset: Any) -> bool:
    """Return whether ``dataset`` has the attributes of ``echonet.datasets.Echo`` that say how samples are made."""
    return all(hasattr(dataset, name) for name in ATTRIBUTES)


def makes_echo_samples(dataset: Any) -> bool:
    """Return whether samples of ``dataset`` are Echo's: it is Echo-like, and no function that makes them is unknown.

    Known are those of `EchoNetDynamic`, of echonet's own ``Echo``, and any that carries the mark
    ``__getitem__.echo_samples = True``, by which its author says that the samples have the form and values of Echo's.
    """
    return is_echo_like(dataset) and not unknown_maker(dataset)


MAKERS = ("__getitem__", "__getitems__", "read", "open", "_read", "_normalise", "_scale", "_target")


def unknown_maker(dataset: Any) -> str:
    """Return the name of the first function of an Echo-like dataset that may make other samples; empty if none may."""
    kind = type(dataset)
    for name in MAKERS:
        make = vars(dataset).get(name, getattr(kind, name, None)) if hasattr(dataset, "__dict__") else None
        copied = hasattr(make, "__wrapped__")  # functools.wraps copies marks and names
        if make is getattr(EchoNetDynamic, name, None) or (getattr(make, "echo_samples", False) and not copied):
            continue
        module = str(getattr(make, "__globals__", {}).get("__name__", ""))
        if module.split(".")[0] == "echonet" and getattr(make, "__qualname__", "") == f"Echo.{name}":
            continue
        if name in ("__getitem__", "__getitems__") or issubclass(kind, EchoNetDynamic):
            return name
    return ""


def changed_by(dataset: Any) -> str:
    """Return, for an error, which function of an Echo-like dataset is not Echo's own."""
    name = unknown_maker(dataset) if is_echo_like(dataset) else ""
    return f": its {name} is not Echo's own, and may change video or target" if name else ""


def column(dataset: Any, name: str) -> list[Any]:
    """Return a column of an Echo-like dataset's ``FileList.csv``; empty if it has no such column."""
    header = list(getattr(dataset, "header", ()))
    return [row[header.index(name)] for row in dataset.outcome] if name in header else []


def number(value: Any) -> float:
    """Return a field of the table as a number; NaN if it is no number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def target_names(dataset: Any) -> tuple[str, ...]:
    """Return the names of an Echo-like dataset's targets, in order."""
    names = dataset.target_type
    return (names,) if isinstance(names, str) else tuple(names)


@dataclass(frozen=True, kw_only=True, eq=False)
class EchoAdapter:
    """Makes ``(video, target)`` from a synthetic clip as ``echonet.datasets.Echo`` does from a video.

    Video: float32 as `VideoFormat` makes it. Targets: ``EF`` (float32, percent), ``Filename`` (the clip's id),
    ``LargeIndex``/``SmallIndex`` (int, ED/ES frame counted at the dataset's frame rate), ``LargeFrame``/``SmallFrame``
    (float32 ``(C, H, W)``, normalised), ``LargeTrace``/``SmallTrace`` (float32 ``(H, W)``, the LV mask at ED/ES).

    Args:
        video: how videos are cut and normalised.
        targets: names of the targets.
        target_transform: applied to the target as the dataset does, or None.
    """

    video: VideoFormat
    targets: tuple[str, ...] = ("EF",)
    target_transform: Callable[[Any], Any] | None = None

    @classmethod
    def of(cls, dataset: Any, *, fps: float | None = None) -> "EchoAdapter":
        """Return the adapter for an Echo-like dataset.

        Args:
            dataset: dataset with echonet's attributes (`is_echo_like`).
            fps: frame rate of its videos in 1/s; None takes the median of its first files, else of its
                ``FPS`` column, else 50.

        Raises:
            EchoAugmentError: a target without an honest synthetic value, or one that echonet itself cannot make on
                this NumPy.
        """
        targets = target_names(dataset)
        for name in targets:
            _check_target(name, dataset)
        rates = [rate for rate in map(number, column(dataset, "FPS")) if rate > 0 and np.isfinite(rate)]
        rate, size = file_facts(dataset)
        video = VideoFormat(
            fps=fps if fps is not None else rate or (float(np.median(rates)) if rates else 50.0),
            size=size or stated_size(dataset),
            **{name: getattr(dataset, name) for name in ATTRIBUTES if name != "target_type"},
        )
        return cls(video=video, targets=targets, target_transform=getattr(dataset, "target_transform", None))

    @property
    def fixed_shape(self) -> bool:
        """Whether every sample has the same shape."""
        return self.video.length is not None and self.video.clips != "all"

    def check(self, source: ClipSource) -> None:
        """Raise if the clips lack what the targets need; reads EF values and one clip, but no clip of a live source.

        Raises:
            EchoAugmentError: a clip without EF, or a first clip without the ED/ES frame or masks that a target needs.
        """
        if "EF" in self.targets and np.isnan(source.ef).any():
            count = int(np.isnan(source.ef).sum())
            raise EchoAugmentError(
                f"target EF: {count} of {len(source)} synthetic clips have no EF",
                "Fill the cache from motion donors with a label, or leave EF out of target_type",
            )
        if any(name in (*INDICES, *FRAMES, *TRACES) for name in self.targets) and len(source) and len(source.ef):
            clip = source[0]
            for name in self.targets:
                self.target(name, clip)

    def __call__(self, clip: EchoClip, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return the sample of ``clip``; ``rng`` draws window, crop and noise."""
        target: Any = [self.target(name, clip) for name in self.targets]
        if target:
            target = tuple(target) if len(target) > 1 else target[0]
            if self.target_transform is not None:
                target = self.target_transform(target)
        return self.video(clip, rng), target

    def target(self, name: str, clip: EchoClip) -> Any:
        """Return one target of ``clip``.

        Raises:
            EchoAugmentError: the clip lacks what the target needs.
        """
        if name == "EF":
            return np.float32(_known(clip.ef, not np.isnan(clip.ef), "EF", name, clip))
        if name == "Filename":
            return clip.clip_id
        large = name.startswith("Large")
        phase, frame = ("ED", clip.ed_frame) if large else ("ES", clip.es_frame)
        _known(frame, frame >= 0, f"{phase} frame", name, clip)
        if name in INDICES:
            return round(frame * self.video.fps / clip.fps)
        if name in FRAMES:
            return self.video.normalise(self.video.resize(clip.take(np.array([frame]))))[:, 0]
        masks: npt.NDArray[np.bool_] = _known(clip.masks, clip.masks is not None, "LV mask", name, clip)
        return self.video.resize(masks[frame : frame + 1].astype(np.uint8), nearest=True)[0].astype(np.float32)


def _known(value: Any, known: bool, what: str, target: str, clip: EchoClip) -> Any:
    if not known:
        raise EchoAugmentError(
            f"target {target}: synthetic clip {clip.clip_id!r} has no {what}",
            f"Leave {target} out of target_type, or use clips that carry it",
        )
    return value


def _check_target(name: str, dataset: Any) -> None:
    echonet_own = type(dataset).__module__.split(".")[0] == "echonet"
    if echonet_own and name in BROKEN_BY_NUMPY and not hasattr(np, "int"):
        raise EchoAugmentError(
            f"target {name}: echonet.datasets.Echo needs np.int, which NumPy {np.__version__} no longer has",
            "Use echo_augment.augmentor.data.EchoNetDynamic in its place; it takes the same arguments",
        )
    if name in ("EDV", "ESV"):
        raise EchoAugmentError(
            f"target {name}: a volume in mL has no honest value for a synthetic clip (its scale is not known)",
            f"Leave {name} out of target_type; EF is a ratio and stays valid",
        )
    if name not in HONEST:
        raise EchoAugmentError(
            f"target {name!r} has no honest value for a synthetic clip",
            f"Use targets out of {', '.join(HONEST)}, or give SyntheticAugment an adapter= that makes the sample",
        )


OPENED = 5  # files that tell the frame rate and size of a dataset


def file_facts(dataset: Any) -> tuple[float, tuple[int, int] | None]:
    """Return median frame rate and usual ``(H, W)`` of a dataset's first files; 0 and None if it names none that open.

    The table's figures are not asked: rows of EchoNet-Dynamic state 768 x 1024 for files of 112 x 112.
    """
    rows = getattr(dataset, "rows", None)
    if rows is not None:
        paths = [row.path for row in list(rows)[:OPENED] if hasattr(row, "path")]
    else:
        names = list(getattr(dataset, "fnames", ()))[:OPENED]
        paths = [Path(str(getattr(dataset, "root", ""))) / VIDEOS / str(name) for name in names]
    rates, sizes = [], Counter[tuple[int, int]]()
    for path in paths:
        with suppress(EchoAugmentError), open_video(path) as video:
            rates.append(video.fps)
            sizes[video.shape] += 1
    rate = float(np.median([rate for rate in rates if rate > 0] or [0.0]))
    return rate, sizes.most_common(1)[0][0] if sizes else None


def stated_size(dataset: Any) -> tuple[int, int] | None:
    """Return the usual ``(H, W)`` by a dataset's ``FrameHeight`` and ``FrameWidth`` columns, or None."""
    sides = (map(number, column(dataset, name)) for name in ("FrameHeight", "FrameWidth"))
    sizes = Counter(size for size in zip(*sides, strict=True) if min(size) > 0 and np.isfinite(size).all())
    if not sizes:
        return None
    height, width = sizes.most_common(1)[0][0]
    return int(height), int(width)
