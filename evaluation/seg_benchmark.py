"""``benchmark task=segmentation``: the arms of the benchmark on LV masks, with Dice as the main figure.

Synthetic clips get their masks from a segmenter that was trained on the labelled hearts of the same run (the arm
``real``), and only clips whose masks the donors do not contradict are kept: see `echo_augment.augmentor.mcdm.masks`.
The oracle's clips carry their exact masks.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from echo_augment.augmentor.data import read_table, refuse_leaks
from echo_augment.augmentor.mcdm.masks import MaskGate, WithMasks
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import image_gate
from echo_augment.training_recipes.arms import clips_of
from echo_augment.training_recipes.dataset import dataset_root
from echo_augment.training_recipes.fill_cache import Generator
from echo_augment.training_recipes.oracle import OracleGenerator
from echo_augment.training_recipes.ranks import best_device
from echo_augment.training_recipes.reporting import plain, write_report
from echo_augment.training_recipes.seg_parts import traced_hearts, traced_masks
from echo_augment.training_recipes.seg_run import SegmentationRun
from echo_augment.training_recipes.seg_teacher import load_segmenter
from echo_augment.training_recipes.subsets import choose_labelled, count_labels

from .benchmark import (
    check_settings,
    choose_arms,
    choose_looks,
    load_weights,
    run_folder,
    skipped_videos,
    typed_overrides,
)
from .caches import fill_subset
from .multiplicity import correct
from .seg_report import verdict, write_report_pages
from .seg_summary import summarise_hearts
from .sweep import count_workers, run_all

Settings = Mapping[str, Any]
Subset = tuple[int, int]
REAL = {"_target_": "echo_augment.training_recipes.arms.real"}
OURS = tuple(f"echo_augment.training_recipes.arms.{name}" for name in ("pseudo_label", "mean_teacher"))


def run_segmentation(
    cfg: DictConfig,
    job: str,
    load: Callable[..., Generator] | None = None,
    *,
    cache_root: Path | None = None,
    others: Sequence[Path] = (),
) -> dict[str, Any]:
    """The benchmark of LV segmentation; arguments, returns and errors as of `run_benchmark`.

    Raises:
        EchoAugmentError: also an arm that learns from read EF, which is no task of masks.
    """
    settings: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    out = Path(settings["out"])
    check_settings(settings)
    root = dataset_root(settings["data"])
    table = read_table(root)
    refuse_leaks(table.split("train"), [*table.split("val"), *table.split("test")])
    hearts = list(traced_hearts(root, "train"))
    notes, arms = choose_arms(settings["arm"], root)
    refuse_ef_arms(arms)
    subsets = {
        (place, seed): choose_labelled(hearts, count_labels(labels, len(hearts)), seed)
        for place, labels in enumerate(settings["labels"])
        for seed in settings["seeds"]
    }

    def training(subset: Subset, arm: str, spec: Settings, caches: Mapping[str, str]) -> tuple[Path, SegmentationRun]:
        place, seed = subset
        labels = settings["labels"][place]
        names = ("model", "trainer", "val_at_least", "device", "unlabelled")
        shared = {name: settings[name] for name in names}
        run = SegmentationRun(root=str(root), arm=arm, spec=spec, labels=labels, seed=seed, caches=caches, **shared)
        return run_folder(out, labels, arm, seed), run

    workers = count_workers(settings["workers"], len(subsets) * len(arms), settings["trainer"]["threads"])
    ready = {kind: str(folder) for kind, folder in settings["caches"].items()}
    teachers: dict[Subset, Path] = {}
    if "synthetic" in {clips_of(spec) for spec in arms.values()} - set(ready):
        first = dict(training(subset, "real", arms.get("real", REAL), {}) for subset in subsets)
        print("segmenters that draw the masks of synthetic clips:")
        run_all(first, workers=workers, elsewhere=_elsewhere(first, out, others))
        teachers = dict(zip(subsets, first, strict=True))
    looks = choose_looks(hearts, subsets, settings["unlabelled"])
    caches, fills, fingerprint = fill_masked(
        settings, root, cache_root or out / "caches", arms, subsets, looks, teachers, load
    )
    runs = dict(training(subset, arm, spec, caches[subset]) for subset in subsets for arm, spec in arms.items())
    results = run_all(runs, workers=workers, elsewhere=_elsewhere(runs, out, others))

    levels = []
    for labels in settings["labels"]:
        own = [results[path] for path, item in runs.items() if item.labels == labels]
        levels.append(summarise_level(own, settings))
    correct(levels)
    some = next(iter(results.values()))
    notes += sorted({note for result in results.values() for note in result["notes"]})
    counts = {"train": len(hearts), "validation": some["validation_hearts"], "test": len(some["predictions"])}
    figures: dict[str, Any] = {
        "task": "segmentation",
        "data": settings["data"]["name"],
        "seeds": settings["seeds"],
        **levels[0],
        "level": settings["level"],
        "hearts": counts,
        "steps": some["steps"],
        "batch_size": some["batch_size"],
        "fingerprint": fingerprint,
        "clips": fills,
        "skipped": skipped_videos(results.values(), fills),
        "notes": notes,
        "overrides": typed_overrides(),
    }
    if len(levels) > 1:
        figures["fractions"] = levels
    figures["verdict"] = verdict(figures)
    path = write_report(out, job, cfg, figures)
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    subset = next(iter(subsets))
    overlays = {arm: training(subset, arm, spec, {})[0] / "overlay.png" for arm, spec in arms.items()}
    write_report_pages(out, report, caches[subset], overlays)
    return report


def refuse_ef_arms(arms: Settings) -> None:
    """Raises EchoAugmentError for an arm whose unlabelled clips get an EF, and no mask."""
    for name, spec in arms.items():
        if spec.get("teacher") is not None or spec.get("_target_") in OURS:
            raise EchoAugmentError(
                f"the arm {name} learns EF from unlabelled clips; task=segmentation has no such arm",
                "Use real, classical, synthetic, oracle or full",
            )


def _elsewhere(runs: Mapping[Path, Any], out: Path, others: Sequence[Path]) -> dict[Path, list[Path]]:
    return {path: [other / path.relative_to(out) for other in others] for path in runs}


def fill_masked(
    settings: Settings,
    root: Path,
    folders: Path,
    arms: Settings,
    subsets: Mapping[Subset, list[str]],
    looks: Mapping[Subset, list[str] | None],
    teachers: Mapping[Subset, Path],
    load: Callable[..., Generator] | None,
) -> tuple[dict[Subset, dict[str, str]], list[dict[str, Any]], str]:
    """Fill the caches that the arms need with clips that carry masks.

    Returns:
        Folders by kind for each subset, the summaries of the fills, and the fingerprint of the generator.
    """
    ready: dict[str, str] = {kind: str(folder) for kind, folder in settings["caches"].items()}
    caches: dict[Subset, dict[str, str]] = {key: dict(ready) for key in subsets}
    fills: list[dict[str, Any]] = []
    fingerprint = ""
    for kind in sorted({kind for spec in arms.values() if (kind := clips_of(spec)) is not None} - set(ready)):
        donors = sorted({name for labelled in subsets.values() for name in labelled})
        bare: Generator
        bare = OracleGenerator.of(root, masks=True) if kind == "oracle" else load_weights(settings, root, donors, load)
        fingerprint = bare.fingerprint if kind == "synthetic" else fingerprint
        for subset, labelled in subsets.items():
            labels, seed = str(settings["labels"][subset[0]]).replace("/", "_"), subset[1]
            folder = folders / f"masked-{kind}-labels-{labels}-seed{seed}"
            generator = bare
            if kind == "synthetic":
                # Tracings of labelled hearts only: those of the others this run must not know.
                segmenter = load_segmenter(teachers[subset], device=best_device(settings["device"]))
                generator = WithMasks(bare, segmenter, traced_masks(root, labelled))
            print(f"{kind} clips with masks for seed {seed}: {len(labelled)} labelled motions")
            summary = fill_subset(
                folder,
                generator,
                labelled,
                clips=settings["clips"],
                seed=seed,
                batch=settings["generator"]["batch"],
                looks=looks[subset],
                gates=[image_gate, MaskGate(float(settings["masks_at_least"]))],
            )
            caches[subset][kind] = str(folder)
            about = {"kind": kind, "labels": settings["labels"][subset[0]], "seed": seed, "skipped": bare.skipped}
            fills.append(plain({**about, **summary}))
    return caches, fills, fingerprint


def summarise_level(results: Sequence[Mapping[str, Any]], settings: Settings) -> dict[str, Any]:
    """The figures of one number of labels."""
    hearts: dict[str, dict[int, Any]] = {}
    for result in results:
        hearts.setdefault(result["arm"], {})[result["seed"]] = result["predictions"]
    some = min(results, key=lambda result: result["labelled_hearts"])
    return {
        "label_fraction": some["labelled_hearts"] / some["train_hearts"],
        "labelled_hearts": some["labelled_hearts"],
        **summarise_hearts(hearts, level=settings["level"], resamples=settings["resamples"]),
    }
