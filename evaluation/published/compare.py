"""Hold clips against real videos by published metrics, with other real videos and a codec's round trip beside them."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import tee
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKL

from echo_augment.augmentor.data import VideoInfo, read_video
from echo_augment.augmentor.mcdm.codec import SHRINKS, decode, encode
from echo_augment.augmentor.mcdm.fingerprint import DIGITS
from echo_augment.augmentor.sources.source import ClipSource
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.common.contact_sheet import spread
from echo_augment.training_recipes.common.lpips import weight_files

from .measure import LEAST, Form, Found, Frames, brought, look_at, row_of
from .networks import I3D_FILE, Networks
from .report import PublishedMetrics
from .settings import MetricSettings


def real_clip(row: VideoInfo) -> EchoClip | None:
    """Return a video of a table as a clip with its EF; None if it breaks."""
    try:
        frames, fps = read_video(row.path)
    except EchoAugmentError:
        return None
    return EchoClip(row.name, frames, fps if fps > 0 else row.fps, ef=row.ef)


def load_networks(settings: MetricSettings, device: str = "cpu") -> Networks | None:
    """Return the networks of the metrics that are asked for, on a device; None without a folder of them.

    Raises:
        EchoAugmentError: a file is missing or wrong; it is named, with what to do.
    """
    if settings.weights is None:
        return None
    return Networks.load(Path(settings.weights), settings.wanted, lpips=settings.lpips, device=device)


def compare(
    clips: ClipSource,
    rows: Sequence[VideoInfo],
    codec: AutoencoderKL,
    networks: Networks,
    settings: MetricSettings,
    *,
    seed: int,
) -> PublishedMetrics:
    """Return published metrics of clips against one half of the real videos; the other half is the floor.

    All have the first clip's frames per second and size. Videos that break, or have less than 16 frames, are left out.

    Args:
        clips: that are measured.
        rows: the real videos.
        codec: whose round trip of the other half is measured, too, if it can take frames of this size.
        networks: of `load_networks`.
        settings: which metrics, and by which files.
        seed: of halves and windows.

    Raises:
        EchoAugmentError: there are too few videos.
    """
    n = min(len(rows) // 2, len(clips), settings.clips)
    if n < LEAST:
        raise EchoAugmentError(
            f"published metrics need {LEAST} clips and {2 * LEAST} real videos, there are {len(clips)} and {len(rows)}",
            "Leave metrics.weights out, or give more",
        )
    first, order = clips[0], np.random.default_rng([seed, 2]).permutation(len(rows))
    form = Form(
        fps=first.fps,
        size=int(np.asarray(first.frames).shape[1]),
        images=max(1, ceil(settings.images / n)),
        seed=seed,
    )

    def real(part: npt.NDArray[np.int64]) -> Iterator[Frames]:
        read = (real_clip(rows[int(place)]) for place in part)
        return brought((clip for clip in read if clip is not None), form)

    def take(videos: Iterator[Frames], what: str, others: Iterator[Frames] | None = None) -> Found:
        found = look_at(videos, networks, settings.wanted, form, what=what, others=others)
        if found.videos < LEAST:
            raise EchoAugmentError(f"{what}: {found.videos} videos can be read and have 16 frames", f"Give {LEAST}")
        return found

    base = take(real(order[:n]), "real videos")
    found = {"real": take(real(order[n : 2 * n]), "other real videos")}
    if form.size % SHRINKS == 0:
        one, two = tee((round_trip(codec, frames), frames) for frames in real(order[n : 2 * n]))
        own = (frames for _, frames in two) if "lpips" in settings.wanted else None
        found["codec"] = take((decoded for decoded, _ in one), "through the codec", own)
    chosen = (clips[int(place)] for place in spread(len(clips), n))
    found["clips"] = take(brought(chosen, form), "clips")
    return PublishedMetrics(
        rows={name: row_of(one, base, settings.wanted) for name, one in found.items()},
        real=base.videos,
        names=settings.wanted,
        fps=form.fps,
        size=form.size,
        images=form.images,
        files=hashes(networks, settings),
        lpips=settings.lpips,
    )


def round_trip(codec: AutoencoderKL, frames: Frames) -> Frames:
    """Return frames ``(T, H, W)`` encoded and decoded."""
    restored: Frames = decode(codec, encode(codec, torch.from_numpy(frames))).cpu().numpy()
    return restored


def hashes(networks: Networks, settings: MetricSettings) -> dict[str, str]:
    """Return the SHA-256 of the files that were used, by their names, shortened."""
    folder = Path(str(settings.weights))
    files = [] if networks.i3d is None else [folder / I3D_FILE]
    files += [] if networks.inception is None else [networks.inception.file]
    files += [] if networks.lpips is None else weight_files(folder, settings.lpips)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:DIGITS] for file in files}
