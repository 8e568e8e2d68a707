"""The job ``benchmark``: arms x label fractions x seeds, statistics and report."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from echo_augment.augmentor.data import read_table, refuse_leaks
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.arms import clips_of, teacher_of
from echo_augment.training_recipes.dataset import dataset_root
from echo_augment.training_recipes.ef_parts import usable_hearts
from echo_augment.training_recipes.ef_run import EfRun
from echo_augment.training_recipes.fill_cache import Generator
from echo_augment.training_recipes.oracle import OracleGenerator
from echo_augment.training_recipes.ranks import best_device
from echo_augment.training_recipes.reporting import plain, write_report
from echo_augment.training_recipes.subsets import choose_labelled, count_labels

from .ablation import ablation_figures, cache_digest, doses, write_ablation
from .caches import fill_subset
from .multiplicity import correct
from .report import write_html
from .summary import summarise, tabulate
from .sweep import count_workers, run_all
from .verdict import gain_sentence, verdict

Settings = Mapping[str, Any]
Load = Callable[..., Generator]
TASKS = ("ef", "segmentation")


def run(cfg: DictConfig) -> None:
    """Train every arm with every number of labels and seed, compare, and write the report: JSON, HTML and Markdown."""
    if cfg.ablation is not None:
        if cfg.task != "ef":
            raise EchoAugmentError(
                f"an ablation needs task=ef, got task={cfg.task}", "Run one benchmark for each value"
            )
        run_ablation(cfg)
        return
    report = run_benchmark(cfg, "benchmark")
    print(report["verdict"])
    print(f"see {Path(cfg.out) / 'report.html'} and report.json beside it")


def run_ablation(cfg: DictConfig, load: Load | None = None) -> dict[str, Any]:
    """One benchmark for each value of a setting, and what they found side by side.

    Trainings and caches that a value does not change are done once. A killed ablation goes on where it stopped.

    Args:
        cfg: with ``ablation.key`` and ``ablation.values``.
        load: as for `run_benchmark`.

    Returns:
        What ``report.json`` holds.

    Raises:
        EchoAugmentError: bad settings, or as `run_benchmark`.
    """
    out, key = Path(cfg.out), str(cfg.ablation.key)
    root = str(dataset_root(cfg.data))
    reports: dict[str, dict[str, Any]] = {}
    for name, dose in doses(cfg, root).items():
        print(f"{key} = {name}")
        others = [out / "doses" / before for before in reports]
        dose.out = str(out / "doses" / name)
        store = out / "caches" / cache_digest(OmegaConf.to_container(dose, resolve=True))  # type: ignore[arg-type]
        reports[name] = run_benchmark(dose, "benchmark", load, cache_root=store, others=others)
    path = write_report(out, "benchmark", cfg, ablation_figures(key, reports))
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    write_ablation(out, report, typed_overrides())
    print(f"see {out / 'report.html'} and report.json beside it; every value's own report is in {out / 'doses'}")
    return report


def run_benchmark(
    cfg: DictConfig,
    job: str,
    load: Load | None = None,
    *,
    cache_root: Path | None = None,
    others: Sequence[Path] = (),
) -> dict[str, Any]:
    """The benchmark without its last words.

    Args:
        cfg: composed from ``conf/benchmark.yaml`` or ``conf/demo.yaml``.
        job: its name in the report.
        load: makes the generator; by default `echo_augment.augmentor.mcdm.generate.load_generator`.
        cache_root: folder of the caches; by default ``caches`` in ``out``.
        others: folders of other benchmarks, whose trainings are copied where they are the very same.

    Returns:
        What ``report.json`` holds.

    Raises:
        EchoAugmentError: bad settings or data, a leak, or ``out`` holds another benchmark's trainings.
    """
    settings: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    out = Path(settings["out"])
    check_settings(settings)
    if settings["task"] == "segmentation":
        from .seg_benchmark import run_segmentation

        return run_segmentation(cfg, job, load, cache_root=cache_root, others=others)
    root = dataset_root(settings["data"])
    table = read_table(root)
    refuse_leaks(table.split("train"), [*table.split("val"), *table.split("test")])
    hearts = usable_hearts(root, "train")
    notes, arms = choose_arms(settings["arm"], root)
    subsets = {
        (place, seed): choose_labelled(list(hearts), count_labels(labels, len(hearts)), seed)
        for place, labels in enumerate(settings["labels"])
        for seed in settings["seeds"]
    }
    looks = choose_looks(list(hearts), subsets, settings["unlabelled"])
    caches, fills, fingerprint = fill_all(settings, root, cache_root or out / "caches", arms, subsets, looks, load)
    runs = {
        run_folder(out, settings["labels"][place], arm, seed): EfRun(
            root=str(root),
            arm=arm,
            spec=spec,
            labels=settings["labels"][place],
            seed=seed,
            model=settings["model"],
            trainer=settings["trainer"],
            val_at_least=settings["val_at_least"],
            caches=caches[place, seed],
            device=settings["device"],
            unlabelled=settings["unlabelled"],
            teachers=teachers_of(spec, arms, out, settings["labels"][place], seed),
        )
        for place, seed in subsets
        for arm, spec in arms.items()
    }
    workers = count_workers(settings["workers"], len(runs), settings["trainer"]["threads"])
    elsewhere = {path: [other / path.relative_to(out) for other in others] for path in runs}
    results = run_all(runs, workers=workers, elsewhere=elsewhere)

    levels = []
    for labels in settings["labels"]:
        own = {path: results[path] for path, item in runs.items() if item.labels == labels}
        levels.append(summarise_labels(own, settings))
    correct(levels)
    first = next(iter(results.values()))
    notes += sorted({note for result in results.values() for note in result["notes"]})
    figures: dict[str, Any] = {
        "task": settings["task"],
        "data": settings["data"]["name"],
        "seeds": settings["seeds"],
        **levels[0],
        "level": settings["level"],
        "hearts": {
            "train": len(hearts),
            "validation": first["validation_hearts"],
            "test": len(first["predictions"]),
        },
        "steps": first["steps"],
        "batch_size": first["batch_size"],
        "fingerprint": fingerprint,
        "clips": fills,
        "skipped": skipped_videos(results.values(), fills),
        "notes": notes,
    }
    if len(levels) > 1:
        figures["fractions"] = levels
    figures["verdict"] = " ".join(filter(None, [verdict(figures), gain_sentence(figures)]))
    figures["overrides"] = typed_overrides()
    if settings["published"]:
        figures["published"] = settings["published"]
    path = write_report(out, job, cfg, figures)
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    write_html(out, report, root, {str(key[1]): caches[key] for key in subsets if key[0] == 0}, results)
    return report


def typed_overrides() -> list[str]:
    """What was typed after the job's name; empty where the job was called from Python."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def run_folder(out: Path, labels: Any, arm: str, seed: int) -> Path:
    """Where a training of a benchmark is kept."""
    return out / "runs" / f"labels-{str(labels).replace('/', '_')}" / f"{arm}-seed{seed}"


def teachers_of(spec: Settings, arms: Settings, out: Path, labels: Any, seed: int) -> dict[str, str]:
    """The training, of the same labels and seed, that an arm learns from, by the name of its arm.

    Raises:
        EchoAugmentError: that arm is not trained here.
    """
    name = teacher_of(spec)
    if name is None:
        return {}
    if name not in arms:
        raise EchoAugmentError(
            f"an arm learns from the net of the arm {name}, which is not trained here", f"Add {name} to arm=[..]"
        )
    return {name: str(run_folder(out, labels, name, seed))}


def skipped_videos(results: Iterable[Settings], fills: Iterable[Settings]) -> list[tuple[str, str]]:
    """Videos that a reader left out, and those that the generator could not use as donors, each with its reason."""
    found = {(str(name), str(reason)) for result in results for name, reason in result["skipped"]}
    found |= {(str(item["name"]), str(item["reason"])) for one in fills for item in one["skipped"]}
    return sorted(found)


def check_settings(settings: Settings) -> None:
    """Refuse settings that no benchmark can have.

    Raises:
        EchoAugmentError: naming the setting and its value.
    """
    if settings["task"] not in TASKS:
        raise EchoAugmentError(f"task must be one of {', '.join(TASKS)}, got {settings['task']!r}")
    for name in ("labels", "seeds"):
        values = settings[name]
        if not isinstance(values, list) or not values or len(set(map(str, values))) != len(values):
            raise EchoAugmentError(
                f"{name} must be a list of different values, got {values!r}", f"For instance {name}=[1]"
            )


def choose_arms(arms: Settings, root: Path) -> tuple[list[str], dict[str, Any]]:
    """The arms that can be trained on this data, and what to say about the others."""
    phantoms = (root / "phantoms.json").exists()
    kept = {name: spec for name, spec in arms.items() if phantoms or clips_of(spec) != "oracle"}
    dropped = [name for name in arms if name not in kept]
    notes = [f"The arm {name} was left out: real hearts have no exact counterfactual to render." for name in dropped]
    return notes, kept


def choose_looks(
    names: list[str], subsets: Mapping[tuple[int, int], list[str]], unlabelled: int | None
) -> dict[tuple[int, int], list[str] | None]:
    """The hearts that may give looks: the labelled ones and the first ``unlabelled`` others; None for all."""
    if unlabelled is None:
        return dict.fromkeys(subsets)
    return {
        (place, seed): choose_labelled(names, min(len(names), len(labelled) + unlabelled), seed)
        for (place, seed), labelled in subsets.items()
    }


def fill_all(
    settings: Settings,
    root: Path,
    folders: Path,
    arms: Settings,
    subsets: Mapping[tuple[int, int], list[str]],
    looks: Mapping[tuple[int, int], list[str] | None],
    load: Load | None,
) -> tuple[dict[tuple[int, int], dict[str, str]], list[dict[str, Any]], str]:
    """Fill the caches that the arms need.

    Returns:
        Folders by kind for each subset, the summaries of the fills, and the fingerprint of the generator.
    """
    ready: dict[str, str] = {kind: str(folder) for kind, folder in settings["caches"].items()}
    caches: dict[tuple[int, int], dict[str, str]] = {key: dict(ready) for key in subsets}
    fills: list[dict[str, Any]] = []
    fingerprint = ""
    for kind in sorted({kind for spec in arms.values() if (kind := clips_of(spec)) is not None} - set(ready)):
        donors = sorted({name for labelled in subsets.values() for name in labelled})
        generator: Generator
        generator = OracleGenerator.of(root) if kind == "oracle" else load_weights(settings, root, donors, load)
        if kind == "synthetic":
            fingerprint = generator.fingerprint
        for place, seed in subsets:
            labels = str(settings["labels"][place]).replace("/", "_")
            folder = folders / f"{kind}-labels-{labels}-seed{seed}"
            allowed = looks[place, seed]
            seen = "all TRAIN looks" if allowed is None else f"looks of {len(allowed)} hearts"
            print(f"{kind} clips for seed {seed}: {len(subsets[place, seed])} labelled motions, {seen}")
            summary = fill_subset(
                folder,
                generator,
                subsets[place, seed],
                clips=settings["clips"],
                seed=seed,
                batch=settings["generator"]["batch"],
                looks=allowed,
            )
            caches[place, seed][kind] = str(folder)
            about = {"kind": kind, "labels": settings["labels"][place], "seed": seed, "skipped": generator.skipped}
            fills.append(plain({**about, **summary}))
    return caches, fills, fingerprint


def load_weights(settings: Settings, root: Path, motion_donors: list[str], load: Load | None) -> Generator:
    """The generator of the arm ``synthetic``."""
    from echo_augment.augmentor.mcdm.generate import load_generator

    if settings["generator"]["weights"] is None:
        raise EchoAugmentError(
            "this benchmark needs a generator trained on the data set's own TRAIN split, and generator.weights is null",
            f"Run echo-augment train-generator data=echonet data.root={root} out=FOLDER, then give "
            "generator.weights=FOLDER/generator",
        )
    return (load or load_generator)(
        settings["generator"]["weights"],
        root,
        device=best_device(settings["device"]),
        steps=settings["generator"]["steps"],
        seed=settings["seed"],
        motion_donors=motion_donors,
        on_error="skip",
    )


def summarise_labels(results: Mapping[Path, dict[str, Any]], settings: Settings) -> dict[str, Any]:
    """The figures of one number of labels."""
    predictions: dict[str, dict[int, Any]] = {}
    for result in results.values():
        predictions.setdefault(result["arm"], {})[result["seed"]] = result["predictions"]
    _, true, predicted = tabulate(predictions)
    some = min(results.values(), key=lambda result: result["labelled_hearts"])
    return {
        "label_fraction": some["labelled_hearts"] / some["train_hearts"],
        "labelled_hearts": some["labelled_hearts"],
        **summarise(true, predicted, level=settings["level"], resamples=settings["resamples"]),
    }
