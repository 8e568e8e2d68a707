"""The job ``train-segmentation``: train one LV segmenter with one arm."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from .dataset import dataset_root
from .reporting import write_report
from .seg_run import SegmentationRun
from .seg_training import train_segmentation
from .train_ef import one_arm


def run(cfg: DictConfig) -> None:
    """Train, select on VAL, test once; ``report.json``, the segmenter, ``overlay.png`` and the log go to ``out``."""
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    arm, spec = one_arm(plain["arm"])
    settings = SegmentationRun(
        root=str(dataset_root(plain["data"])),
        arm=arm,
        spec=spec,
        labels=plain["labels"],
        seed=plain["seed"],
        model=plain["model"],
        trainer=plain["trainer"],
        val_at_least=plain["val_at_least"],
        caches={kind: str(folder) for kind, folder in plain["caches"].items()},
        device=plain["device"],
    )
    result = train_segmentation(settings, Path(cfg.out))
    figures = {
        "task": "segmentation",
        "data": plain["data"]["name"],
        "label_fraction": result["labelled_hearts"] / result["train_hearts"],
        "seeds": [settings.seed],
        **{name: value for name, value in result.items() if name not in ("key", "seed")},
    }
    path = write_report(cfg.out, "train-segmentation", cfg, figures)
    pooled = result["test"]["pooled"]
    print(
        f"TEST Dice {pooled['dice']:.3f} (ED {pooled['dice_ed']:.3f}, ES {pooled['dice_es']:.3f}) with "
        f"{result['labelled_hearts']} labelled hearts, arm {arm}; see {path} and {Path(cfg.out) / 'overlay.png'}"
    )
