"""Training videos as the generator's stages read them, whose grey levels tell which video and frame they are."""

import json
from pathlib import Path

import numpy as np

from echo_augment.training_recipes.generator.prepare import Prepared, prepare

HEARTS, LENGTH = 6, 8


def write_hearts(folder: Path) -> Prepared:
    """Six videos of eight frames, the last two watched: frame t of heart k is ``20 (k + 1)``, plus t on the grid."""
    frames = np.zeros((HEARTS * LENGTH, 112, 112), np.uint8)
    rows = []
    for heart in range(HEARTS):
        start = heart * LENGTH
        frames[start : start + LENGTH] = 20 * (heart + 1)
        frames[start : start + LENGTH : 2] += np.arange(0, LENGTH, 2, dtype=np.uint8)[:, None, None]
        rows.append({"name": f"h{heart}", "start": start, "length": LENGTH, "ed": 0, "es": 4})
    np.save(folder / "frames.npy", frames)
    table = {"hearts": rows, "hashes": {"first": [], "content": []}, "skipped": []}
    (folder / "hearts.json").write_text(json.dumps(table))
    return prepare([], folder, rate=12.5, size=112, monitor=0.34)
