"""The job ``train-segmentation``: train one LV segmenter with one arm."""

from pathlib import Path

from omegaconf import DictConfig

from ..segmentation.training import SegmentationRun, train_segmentation
from ..training.job import report_run, run_of


def run(cfg: DictConfig) -> None:
    """Train, select on VAL, test once; ``report.json``, the segmenter, ``overlay.png`` and the log go to ``out``."""
    settings, out = run_of(SegmentationRun, cfg), Path(cfg.out)
    result = train_segmentation(settings, out)
    path = report_run(cfg, "segmentation", settings, result)
    pooled = result["test"]["pooled"]
    print(
        f"TEST Dice {pooled['dice']:.3f} (ED {pooled['dice_ed']:.3f}, ES {pooled['dice_es']:.3f}) with "
        f"{result['labelled_hearts']} labelled hearts, arm {settings.arm}; see {path} and {out / 'overlay.png'}"
    )
