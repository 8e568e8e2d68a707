"""Synthetic clips in a Lightning training: a data module, and a callback that passes the epoch on.

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

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_index: int) -> None:
        video, ef = batch
        self.log("mae", (self.model(video).flatten() - ef).abs().mean(), batch_size=len(ef), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)


# --8<-- [start:data]
class Echocardiograms(lightning.LightningDataModule):
    """TRAIN with synthetic clips, VAL without."""

    def __init__(self, dataset: str, cache: str, batch_size: int = 20, workers: int = 4) -> None:
        super().__init__()
        self.dataset, self.batch_size, self.workers = dataset, batch_size, workers
        base = EchoNetDynamic(dataset, split="train", mean=32.7, std=49.9, length=32, period=2, pad=12)
        self.train = SyntheticAugment(base, CachedClips(cache), p=0.5, seed=0)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True, num_workers=self.workers)

    def val_dataloader(self) -> DataLoader:
        base = EchoNetDynamic(self.dataset, split="val", mean=32.7, std=49.9, length=32, period=2)
        return DataLoader(base, self.batch_size, num_workers=self.workers)


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


# --8<-- [end:data]


def main(arguments: Sequence[str] | None = None) -> list[float]:
    options = read_options(arguments, __doc__)

    data = Echocardiograms(options.dataset, options.cache, options.batch_size, options.workers)
    losses: list[float] = []
    record = lightning.pytorch.callbacks.LambdaCallback(
        on_train_epoch_end=lambda trainer, module: losses.append(float(trainer.callback_metrics["loss"]))
    )
    trainer = lightning.Trainer(
        max_epochs=options.epochs,
        callbacks=[SetEpoch(data.train), record],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(EjectionFraction(make_model(options.tiny)), datamodule=data)
    return losses


if __name__ == "__main__":
    main()
