"""Images of clips: contact sheets, GIFs, and how alike two clips are pixel by pixel."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip
from echo_augment.cache.clip import is_real
from echo_augment.cache.system.files import atomic_path

SIDE, CAPTION, COLUMNS = 168, 46, 4


def choose(store: ClipStore, n: int) -> list[EchoClip]:
    """``n`` clips evenly spread over the ranks of EF, lowest first; unlabelled ones last.

    Raises:
        EchoAugmentError: an empty cache, or n below 1.
    """
    if not len(store) or n < 1:
        raise EchoAugmentError(f"cannot show {n} of the {len(store)} clips in {store.folder}")
    order = np.argsort(store.ef, kind="stable")
    picks = np.linspace(0, len(order) - 1, min(n, len(order))).round().astype(int)
    return [store[int(order[k])] for k in picks]


def caption(clip: EchoClip) -> list[str]:
    """EF, motion donor and appearance donor (or the clip's id), each on a line."""
    ef = "EF ?" if np.isnan(clip.ef) else f"EF {clip.ef:.0f} %"
    if clip.provenance is None or is_real(clip.provenance.fingerprint):
        return [ef, clip.clip_id]
    return [ef, f"motion {clip.provenance.motion_donor}", f"look {clip.provenance.appearance_donor}"]


def draw_sheet(clips: Sequence[EchoClip], frames: int = 6) -> Image.Image:
    """A row a clip: caption, then ``frames`` frames from first to last. Returns a grayscale image."""
    sheet = Image.new("L", ((frames + 1) * SIDE, len(clips) * SIDE), 16)
    for row, clip in enumerate(clips):
        _write(sheet, caption(clip), (8, row * SIDE + SIDE // 3))
        for column, k in enumerate(np.linspace(0, len(clip.frames) - 1, frames).round().astype(int)):
            sheet.paste(_scaled(clip.frames[k]), ((column + 1) * SIDE, row * SIDE))
    return sheet


def draw_animation(clips: Sequence[EchoClip]) -> list[Image.Image]:
    """A grid of moving clips with captions: one image a frame of the longest clip; shorter ones start again."""
    columns = min(COLUMNS, len(clips))
    rows = -(-len(clips) // columns)
    base = Image.new("L", (columns * SIDE, rows * (SIDE + CAPTION)), 16)
    places = [(k % columns * SIDE, k // columns * (SIDE + CAPTION)) for k in range(len(clips))]
    for clip, (x, y) in zip(clips, places, strict=True):
        _write(base, caption(clip), (x + 4, y + SIDE + 2))
    images = []
    for k in range(max(len(clip.frames) for clip in clips)):
        image = base.copy()
        for clip, place in zip(clips, places, strict=True):
            image.paste(_scaled(clip.frames[k % len(clip.frames)]), place)
        images.append(image)
    return images


def _scaled(frame: np.ndarray) -> Image.Image:
    return Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def _write(image: Image.Image, lines: Sequence[str], place: tuple[int, int]) -> None:
    font = ImageFont.load_default(10)
    for k, line in enumerate(lines):
        ImageDraw.Draw(image).text((place[0], place[1] + 13 * k), line[:27], fill=230, font=font)


Frames = npt.NDArray[np.uint8]


def contact_sheet(
    clips: Sequence[tuple[str, Frames]], *, columns: int = 6, scale: float = 1.6, sets: int = 2
) -> npt.NDArray[np.uint8]:
    """One grey image: each clip ``(T, H, W)`` is a row of ``columns`` evenly spaced frames under its title.

    Args:
        clips: ``(title, frames)``; all of one size.
        columns: frames of each clip.
        scale: enlargement of the frames.
        sets: how many clips stand side by side.
    """
    rows: list[npt.NDArray[np.uint8]] = []
    for title, frames in clips:
        chosen = frames[np.linspace(0, len(frames) - 1, columns).round().astype(int)]
        strip = np.hstack(list(chosen))
        strip = cv2.resize(strip, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        head = np.full((16, strip.shape[1]), 40, np.uint8)
        cv2.putText(head, title, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 230, 1, cv2.LINE_AA)
        rows.append(np.pad(np.vstack([head, strip]), ((0, 2), (0, 6))))
    blank = np.zeros_like(rows[0])
    rows += [blank] * (-len(rows) % sets)
    return np.vstack([np.hstack(rows[i : i + sets]) for i in range(0, len(rows), sets)])


Clip = npt.NDArray[np.uint8]
LABEL = 14


def titled(image: Clip, text: str) -> Clip:
    """``image (H, W)`` with a line of text above it."""
    strip = Image.new("L", (image.shape[1], LABEL), 40)
    ImageDraw.Draw(strip).text((3, 1), text, fill=255)
    return np.concatenate([np.asarray(strip), image])


def write_sheet(path: Path, clips: dict[str, Clip], efs: npt.NDArray[np.float64], shown: int, moments: int = 6) -> None:
    """A PNG: one block a pair, one row a kind of clip, ``moments`` frames across; ``clips`` are ``(N, T, H, W)``."""
    blocks = []
    for pair in range(min(shown, len(efs))):
        rows = []
        for name, stack in clips.items():
            picked = np.linspace(0, stack.shape[1] - 1, moments).round().astype(int)
            row = np.concatenate(list(stack[pair][picked]), axis=1)
            rows.append(titled(row, f"pair {pair}, motion donor's EF {efs[pair]:.0f} %: {name}"))
        blocks.append(np.concatenate(rows))
    half = (len(blocks) + 1) // 2
    columns = [np.concatenate(blocks[:half])]
    if len(blocks) > 1:
        right = np.concatenate(blocks[half:])
        missing = columns[0].shape[0] - right.shape[0]
        columns.append(np.pad(right, ((0, missing), (0, 0))))
    with atomic_path(path) as temporary:
        Image.fromarray(np.concatenate(columns, axis=1)).save(temporary, format="PNG")


def write_gif(path: Path, clips: dict[str, Clip], shown: int, rate: float) -> None:
    """A GIF that beats: one row a pair, one column a kind of clip."""
    length = next(iter(clips.values())).shape[1]
    pictures = []
    for t in range(length):
        rows = [
            np.concatenate([titled(stack[pair, t], name) for name, stack in clips.items()], axis=1)
            for pair in range(min(shown, len(next(iter(clips.values())))))
        ]
        pictures.append(Image.fromarray(np.concatenate(rows)))
    with atomic_path(path) as temporary:
        pictures[0].save(
            temporary, format="GIF", save_all=True, append_images=pictures[1:], duration=int(1000 / rate), loop=0
        )


def psnr(first: Clip, second: Clip) -> float:
    """Peak signal-to-noise ratio in dB of two clips ``(T, H, W)`` uint8, over all their pixels."""
    error = np.mean((first.astype(np.float64) - second.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / max(float(error), 1e-6)))


def ssim(first: Clip, second: Clip) -> float:
    """Structural similarity of two clips ``(T, H, W)`` uint8, the mean over frames.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004), with their Gaussian
    window of sigma 1.5.
    """
    values = []
    for one, two in zip(first.astype(np.float64), second.astype(np.float64), strict=True):
        mean1, mean2 = _blur(one), _blur(two)
        var1, var2 = _blur(one * one) - mean1**2, _blur(two * two) - mean2**2
        cov = _blur(one * two) - mean1 * mean2
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        top = (2 * mean1 * mean2 + c1) * (2 * cov + c2)
        values.append((top / ((mean1**2 + mean2**2 + c1) * (var1 + var2 + c2))).mean())
    return float(np.mean(values))


def _blur(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5), np.float64)


def frame_quality(made: Clip, truth: Clip) -> dict[str, float]:
    """``psnr`` in dB and ``ssim`` of frames ``(N, H, W)`` uint8 against the true ones, each a mean over the frames."""
    pairs = [(one[None], two[None]) for one, two in zip(made, truth, strict=True)]
    return {
        "psnr": float(np.mean([psnr(one, two) for one, two in pairs])),
        "ssim": float(np.mean([ssim(one, two) for one, two in pairs])),
    }
