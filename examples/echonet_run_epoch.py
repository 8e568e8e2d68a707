"""echonet's own training function, ``echonet.utils.video.run_epoch``, fed by a wrapped ``echonet.datasets.Echo``.

    python examples/echonet_run_epoch.py DATASET CACHE

Needs the package of https://github.com/echonet/dynamic. It is not on the package index, and its list of dependencies
names one that is gone, so install it from a clone without them::

    git clone https://github.com/echonet/dynamic
    pip install --no-deps ./dynamic
    pip install scikit-image scikit-learn pandas matplotlib tqdm click opencv-python-headless
"""

import sys
from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader

from echo_augment import CachedClips, SyntheticAugment

try:
    import echonet
except ImportError as error:
    sys.exit(f"This example needs the echonet package ({error}).\n{__doc__}")

from plain_loop import make_model, read_options

MEAN, STD = np.array([32.6, 32.7, 33.0], np.float32), np.array([49.9, 49.9, 50.0], np.float32)


def main(arguments: Sequence[str] | None = None) -> list[float]:
    options = read_options(arguments, __doc__)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    base = echonet.datasets.Echo(options.dataset, split="train", mean=MEAN, std=STD, length=32, period=2, pad=12)
    train = SyntheticAugment(base, CachedClips(options.cache), p=0.5, seed=0)
    loader = DataLoader(train, batch_size=options.batch_size, shuffle=True, num_workers=options.workers)
    model = make_model(options.tiny).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)
    losses = []
    # --8<-- [start:loop]
    for epoch in range(options.epochs):
        train.set_epoch(epoch)
        loss, _, _ = echonet.utils.video.run_epoch(model, loader, True, optimizer, device)
        # --8<-- [end:loop]
        losses.append(float(loss))
        print(f"epoch {epoch}: loss {loss:.2f}, served {train.stats()}")
    return losses


if __name__ == "__main__":
    main()
