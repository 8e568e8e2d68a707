"""Contact sheets and GIFs of clips side by side."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from echo_augment.cache.system.files import atomic_path

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
