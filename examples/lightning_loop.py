"""Synthetic clips in a Lightning training; a callback passes the epoch on.

    python examples/lightning_loop.py DATASET CACHE

Needs Lightning: ``pip install lightning``.
"""

import sys
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.data import DataLoader

from echo_augment import CachedClips, EchoNetDynamic, SyntheticAugment

try:
    import lightning
except ImportError as error:
    sys.exit(f"This example needs Lightning ({error}): pip install lightning")

from plain_loop import make_model, read_options


class EjectionFraction(lightning.LightningModule):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_index: int) -> torch.Tensor:
        video, ef = batch
        loss = nn.functional.mse_loss(self.model(video).flatten(), ef)
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(ef))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)


class SetEpoch(lightning.Callback):
    """Tell the dataset the epoch, and print what was served.

    Lightning makes the loader's first iterator before ``on_train_epoch_start``, and workers begin at once; so the
    first epoch is set when fitting starts, and each later one at the end of the one before.
    """

    def __init__(self, train: SyntheticAugment) -> None:
        self.train = train

    def on_fit_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.train.set_epoch(trainer.current_epoch)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        print(f"epoch {trainer.current_epoch}: served {self.train.stats()}")
        self.train.set_epoch(trainer.current_epoch + 1)


def main(arguments: Sequence[str] | None = None) -> list[float]:
    options = read_options(arguments, __doc__)

    base = EchoNetDynamic(options.dataset, split="train", mean=32.7, std=49.9, length=32, period=2, pad=12)
    train = SyntheticAugment(base, CachedClips(options.cache), p=0.5, seed=0)
    loader = DataLoader(train, batch_size=options.batch_size, shuffle=True, num_workers=options.workers)
    losses: list[float] = []
    record = lightning.pytorch.callbacks.LambdaCallback(
        on_train_epoch_end=lambda trainer, module: losses.append(float(trainer.callback_metrics["loss"]))
    )
    trainer = lightning.Trainer(
        max_epochs=options.epochs,
        callbacks=[SetEpoch(train), record],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(EjectionFraction(make_model(options.tiny)), loader)
    return losses


if __name__ == "__main__":
    main()
