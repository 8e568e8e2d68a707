"""A training that stops in mid-epoch and goes on with the very items that are left, by torchdata's StatefulDataLoader.

    python examples/stateful_resume.py DATASET CACHE

Stops after a batch of each epoch, as a killed job would, and goes on in new objects. Needs torchdata: ``pip install
torchdata``.
"""

import sys
from collections.abc import Sequence
from typing import Any

import torch

from echo_augment import CachedClips, EchoNetDynamic, SyntheticAugment

try:
    from torchdata.stateful_dataloader import StatefulDataLoader
except ImportError as error:
    sys.exit(f"This example needs torchdata ({error}): pip install torchdata")

from plain_loop import read_options


def make_loader(options: Any) -> tuple[SyntheticAugment, Any]:
    """Return dataset and loader, made anew as a restarted job makes them."""
    base = EchoNetDynamic(options.dataset, split="train", mean=32.7, std=49.9, length=32, period=2)
    train = SyntheticAugment(base, CachedClips(options.cache), p=0.5, seed=0)
    torch.manual_seed(0)  # the loader draws the order of items from it
    return train, StatefulDataLoader(train, options.batch_size, shuffle=True, num_workers=options.workers)


def main(arguments: Sequence[str] | None = None) -> list[float]:
    options = read_options(arguments, __doc__)
    served: list[float] = []
    for epoch in range(options.epochs):
        # --8<-- [start:loop]
        train, loader = make_loader(options)
        train.set_epoch(epoch)
        batches = iter(loader)
        _, ef = next(batches)  # the job is killed here
        state = {"loader": loader.state_dict(), "epoch": epoch}  # torch.save it with the model

        train, loader = make_loader(options)  # the job is started again
        train.set_epoch(state["epoch"])
        loader.load_state_dict(state["loader"])
        rest = [later for _, later in loader]  # the batches that were left, each item as it would have been
        # --8<-- [end:loop]
        epoch_of = torch.cat([ef, *rest]).tolist()
        served += epoch_of
        print(f"epoch {epoch}: {len(ef)} items before the stop, {len(epoch_of) - len(ef)} after it")
    return served


if __name__ == "__main__":
    main()
