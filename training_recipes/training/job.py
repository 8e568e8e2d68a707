"""What ``train-ef`` and ``train-segmentation`` do alike: from a configuration to a run, and to its report."""

from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf

from echo_augment.cache.errors import EchoAugmentError

from ..common.dataset import dataset_root
from ..common.reporting import write_report
from .run import EfRun

Run = TypeVar("Run", bound=EfRun)


def one_arm(arms: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The only arm of a configuration.

    Raises:
        EchoAugmentError: there are none or several.
    """
    if len(arms) != 1:
        raise EchoAugmentError(f"this job trains one arm, got {', '.join(arms) or 'none'}", "Give arm=NAME")
    return next(iter(arms.items()))


def run_of(kind: type[Run], cfg: DictConfig) -> Run:
    """The run, an `EfRun` or a ``SegmentationRun``, that a configuration asks for.

    Raises:
        EchoAugmentError: not one arm.
    """
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    arm, spec = one_arm(plain["arm"])
    return kind(
        root=str(dataset_root(plain["data"])),
        arm=arm,
        spec=spec,
        labels=plain["labels"],
        seed=plain["seed"],
        model=plain["model"],
        trainer=plain["trainer"],
        val_at_least=plain["val_at_least"],
        caches={name: str(folder) for name, folder in plain["caches"].items()},
        device=plain["device"],
        unlabelled=plain.get("unlabelled"),
        teachers={name: str(folder) for name, folder in plain.get("teachers", {}).items()},
    )


def report_run(cfg: DictConfig, task: str, run: EfRun, result: dict[str, Any]) -> Path:
    """Write the job's ``report.json`` and return its path.

    Args:
        cfg: the composed configuration.
        task: ``ef`` or ``segmentation``.
        run: what was trained.
        result: what ``result.json`` holds.
    """
    figures = {
        "task": task,
        "data": cfg.data.name,
        "label_fraction": result["labelled_hearts"] / result["train_hearts"],
        "seeds": [run.seed],
        **{name: value for name, value in result.items() if name not in ("key", "seed")},
    }
    return write_report(cfg.out, f"train-{task}", cfg, figures)
