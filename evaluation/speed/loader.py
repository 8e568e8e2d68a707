"""Table ``loader``: what the wrapper costs, and what cached clips bring to a DataLoader's throughput."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, RandomSampler

from echo_augment.augmentor import CachedClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic

from .material import FPS, PAD, SAMPLE, Material
from .peer import peer_dataset
from .rows import Row, Table, number, seconds_text
from .settings import LoaderSettings
from .timing import Contender, Seconds, Spread, interleave, ratio

OVERHEAD, THROUGHPUT = 2.0, 1.5
BATCH = 8
HOW = (
    "Samples as in echonet's EF recipe (32 frames, period 2, pad 12). Overhead: SyntheticAugment(base, source, p=0) on "
    "items that lie in memory, where nothing hides it, less those items alone, over the time of a base item from AVI. "
    f"Throughput: DataLoader, {BATCH} a batch, persistent workers, one on each core, four batches ahead, items a "
    "second at p=0.5 over those of the base alone, which decodes AVIs by EchoNetDynamic or as echonet does. "
    "What passing a batch to the main process costs is in both; the last row shows it alone."
)


class InMemory(Dataset[Any]):
    """Samples of a dataset that are kept in memory; everything else is the dataset's own.

    Args:
        base: the dataset.
        count: samples to keep; only these are its items.
    """

    def __init__(self, base: Any, count: int) -> None:
        self.inner, self.samples = base, [base[place] for place in range(count)]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]

    __getitem__.echo_samples = True  # type: ignore[attr-defined]  # form and values are Echo's

    def __getattr__(self, name: str) -> Any:
        if name in ("dataset", "datasets", "base", "inner"):  # it must not look like a Subset or the like
            raise AttributeError(name)
        return getattr(self.inner, name)


def loader_table(material: Material, settings: LoaderSettings, workers: int) -> Table:
    """Measure overhead and throughput.

    Args:
        material: the videos in all forms.
        settings: of the table.
        workers: of the DataLoaders.
    """
    samples, epochs = settings.samples, settings.epochs
    source = CachedClips(material.cache)
    base = EchoNetDynamic(material.root, "train", "EF", pad=PAD, **SAMPLE)
    rows = overhead_rows(base, source, settings.rounds)
    peer = peer_dataset(material.root, pad=PAD, **SAMPLE)
    for data, name, target in ((base, "EchoNetDynamic", THROUGHPUT), (peer, "echonet's way", THROUGHPUT)):
        loaders = {
            "base": loader(data, samples, workers),
            "mixed": loader(SyntheticAugment(data, source, p=0.5, fps=FPS), samples, workers),
        }
        times = interleave({kind: epoch_of(one) for kind, one in loaders.items()}, epochs, what=f"loader, {name}")
        rows.append(throughput_row(times, samples, name, target))
    rows.append(passing_row(InMemory(base, min(len(base), 8)), samples, workers, epochs))
    return Table(name="loader", title="SyntheticAugment in a DataLoader", how=HOW, rows=rows)


def overhead_rows(base: Any, source: CachedClips, rounds: int) -> list[Row]:
    """Return what the wrapper adds to an item, measured apart and directly."""
    count = min(len(base), 8)
    kept = InMemory(base, count)
    around, directly = (SyntheticAugment(data, source, p=0, fps=FPS, donors="table") for data in (kept, base))
    times = interleave(
        {
            "kept": lambda turn: kept[turn % count],
            "around": lambda turn: around[turn % count],
            "base": lambda turn: base[turn % count],
            "wrapped": lambda turn: directly[turn % count],
        },
        rounds,
        what="loader, p=0",
        warmup=2,
        most=200,
    )
    added = times["around"] - times["kept"]
    item = float(np.median(times["base"]))
    direct = ratio(times["wrapped"], times["base"])
    percent = Spread(*(100 * (value - 1) for value in (direct.median, direct.low, direct.high)))
    detail = f"{seconds_text(float(np.median(added)))} on {seconds_text(item)}"
    return [
        Row(
            what="wrapper overhead at p=0, of a base item",
            found=Spread.of(100 * added / item),
            unit="%",
            target=OVERHEAD,
            at_least=False,
            detail=detail,
        ),
        Row(what="the same measured directly, wrapped item against base item", found=percent, unit="%"),
    ]


def loader(data: Any, samples: int, workers: int) -> DataLoader[Any]:
    """Return a shuffling loader; with replacement, because an epoch has more items than there are videos."""
    order = RandomSampler(data, replacement=True, num_samples=samples, generator=torch.Generator().manual_seed(0))
    # Four batches ahead: batches with few real items and batches with many even out.
    ahead = 4 if workers else None
    return DataLoader(
        data, BATCH, sampler=order, num_workers=workers, prefetch_factor=ahead, persistent_workers=workers > 0
    )


def epoch_of(batches: DataLoader[Any]) -> Contender:
    """Return a contender that goes through a whole epoch."""

    def go(turn: int) -> int:
        return sum(len(clips) for clips, _ in batches)

    return go


def passing_row(kept: Dataset[Any], samples: int, workers: int, epochs: int) -> Row:
    """Return items a second where an item costs nothing: what the DataLoader's own passing of batches allows."""
    times = interleave({"kept": epoch_of(loader(kept, samples, workers))}, epochs, what="loader, passing alone")
    return Row(
        what="items in memory through the same DataLoader", found=Spread.of(samples / times["kept"]), unit="items/s"
    )


def throughput_row(times: Mapping[str, Seconds], samples: int, name: str, target: float) -> Row:
    """Return items a second at p=0.5 over those of the base."""
    rates = [f"{number(samples / float(np.median(times[kind])))} items/s" for kind in ("mixed", "base")]
    return Row(
        what=f"throughput at p=0.5 over the base alone from AVI, read by {name}",
        found=ratio(times["base"], times["mixed"]),
        target=target,
        detail=f"{rates[0]} against {rates[1]}",
    )
