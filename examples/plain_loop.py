"""Synthetic clips in a plain PyTorch training loop.

    python examples/plain_loop.py DATASET CACHE

DATASET is a folder in EchoNet-Dynamic's layout, CACHE one that ``echo-augment fill-cache`` wrote. The two lines that
matter are the one that wraps the dataset and ``train.set_epoch(epoch)``.
"""

import argparse
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.models.video import r2plus1d_18

from echo_augment import CachedClips, EchoNetDynamic, SyntheticAugment


def make_model(tiny: bool) -> nn.Module:
    """Return R(2+1)D-18 with one output, as echonet trains it; or a few thousand weights, to try it on a CPU."""
    if tiny:
        model = nn.Sequential(
            nn.Conv3d(3, 8, 3, stride=(1, 4, 4)), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(8, 1)
        )
        nn.init.constant_(model[-1].bias, 55.6)
        return model
    model = r2plus1d_18(weights="DEFAULT")
    model.fc = nn.Linear(model.fc.in_features, 1)
    nn.init.constant_(model.fc.bias, 55.6)
    return model


def read_options(arguments: Sequence[str] | None, description: str | None) -> argparse.Namespace:
    """Return the options that all examples share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("cache")
    parser.add_argument("--epochs", type=int, default=45)
    parser.add_argument("--batch-size", type=int, default=20)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--tiny", action="store_true", help="a few thousand weights instead of R(2+1)D-18")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> list[float]:
    options = read_options(arguments, __doc__)
    device = "cuda" if torch.cuda.is_available() else "cpu"

    base = EchoNetDynamic(options.dataset, split="train", mean=32.7, std=49.9, length=32, period=2, pad=12)
    train = SyntheticAugment(base, CachedClips(options.cache), p=0.5, seed=0, weights=True)
    loader = DataLoader(
        train,
        batch_size=options.batch_size,
        shuffle=True,
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
    )
    model = make_model(options.tiny).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)
    losses = []
    for epoch in range(options.epochs):
        train.set_epoch(epoch)
        total = 0.0
        for video, ef, weight in loader:
            error = (model(video.to(device)).flatten() - ef.to(device)) ** 2
            loss = (error * weight.to(device)).mean()  # a synthetic clip counts as far as its label is trusted
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(ef)
        losses.append(total / len(train))
        print(f"epoch {epoch}: loss {losses[-1]:.2f}, served {train.stats()}")
    return losses


if __name__ == "__main__":
    main()
