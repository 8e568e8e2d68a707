"""Synthetic clips in a MONAI training on dicts; MONAI's transforms run on real and synthetic items alike.

    python examples/monai_dict.py DATASET CACHE

Needs MONAI: ``pip install monai``.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from echo_augment import CachedClips, EchoClip, EchoNetDynamic, SyntheticAugment, VideoFormat

try:
    from monai.data import Dataset
    from monai.transforms import Compose, RandGaussianNoised, RandScaleIntensityd, ToTensord
except ImportError as error:
    sys.exit(f"This example needs MONAI ({error}): pip install monai")

from plain_loop import make_model, read_options

FORM = VideoFormat(length=32, period=2, fps=50, mean=32.7, std=49.9, channels=3)  # as the base below cuts its videos


# --8<-- [start:wrap]
class Dicts(torch.utils.data.Dataset):  # stands for your own dataset of dicts, with arrays in them
    def __init__(self, root: str) -> None:
        self.clips = EchoNetDynamic(root, split="train", mean=32.7, std=49.9, length=32, period=2)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, Any]:
        video, ef = self.clips[index]
        return {"video": video, "ef": ef}


def to_sample(clip: EchoClip, rng: np.random.Generator) -> dict[str, Any]:
    return {"video": FORM(clip, rng), "ef": np.float32(clip.ef)}


def wrap(root: str, cache: str) -> tuple[SyntheticAugment, Dataset]:
    """Return the wrapper, and MONAI's dataset around it with MONAI's transforms."""
    train = SyntheticAugment(Dicts(root), CachedClips(cache), p=0.5, seed=0, adapter=to_sample)
    noise = RandGaussianNoised(keys="video", prob=0.5, std=0.05)
    gain = RandScaleIntensityd(keys="video", factors=0.1, prob=0.5)
    return train, Dataset(train, Compose([noise, gain, ToTensord(keys=("video", "ef"))]))


# --8<-- [end:wrap]


def main(arguments: Sequence[str] | None = None) -> list[float]:
    options = read_options(arguments, __doc__)
    device = "cuda" if torch.cuda.is_available() else "cpu"

    train, data = wrap(options.dataset, options.cache)
    loader = DataLoader(data, batch_size=options.batch_size, shuffle=True, num_workers=options.workers)
    model = make_model(options.tiny).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)
    losses = []
    for epoch in range(options.epochs):
        train.set_epoch(epoch)
        total = 0.0
        for batch in loader:
            loss = nn.functional.mse_loss(model(batch["video"].to(device)).flatten(), batch["ef"].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch["ef"])
        losses.append(total / len(train))
        print(f"epoch {epoch}: loss {losses[-1]:.2f}, served {train.stats()}")
    return losses


if __name__ == "__main__":
    main()
