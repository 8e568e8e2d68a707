"""A ready-made synthetic set in EchoNet-Dynamic's layout."""

import csv

import numpy as np

from echo_augment.augmentor.data.video import write_video

ROWS = [("a", 55.5, "TRAIN"), ("b", 30, "TRAIN"), ("c", "", "TRAIN"), ("v", 60, "VAL"), ("t", 61, "TEST")]


def write_set(root, rows, *, frames=40, fps=50.0, side=32, light=(20, 200), traced=()):
    """A set in EchoNet-Dynamic's layout; ``rows`` are name, EF and split; frame k of a video is moving
    noise, of grey levels in ``light``."""
    (root / "Videos").mkdir(parents=True)
    for number, (name, _, _) in enumerate(rows):
        rng = np.random.default_rng(number + 100)
        picture = rng.integers(*light, (side, side + frames)).astype(np.uint8)
        write_video(root / "Videos" / f"{name}.avi", np.stack([picture[:, k : k + side] for k in range(frames)]), fps)
    with (root / "FileList.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split"])
        writer.writerows([name, ef, "", "", side, side, fps, frames, split] for name, ef, split in rows)
    if traced:
        with (root / "VolumeTracings.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["FileName", "X1", "Y1", "X2", "Y2", "Frame"])
            for name, small, large in traced:
                for frame, half in ((small, 3), (large, 6)):
                    writer.writerow([name, 16, 4, 16, 28, frame])
                    writer.writerows([name, 16 - half, 5 + k, 16 + half, 5 + k, frame] for k in range(20))
    return root
