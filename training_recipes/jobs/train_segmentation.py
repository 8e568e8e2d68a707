"""The job ``train-segmentation``: train one LV segmenter with one arm."""

from pathlib import Path

from omegaconf import DictConfig

from echo_augment.augmentor.devices import process_rank

from ..common.settings import register, settings_from
from ..segmentation.run import SegmentationRun
from ..segmentation.training import train_segmentation
from ..training.job import report_run, run_of
from ..training.settings import TrainingSettings


def run(cfg: DictConfig) -> None:
    """Train, select on VAL, test once; ``report.json``, the segmenter, ``overlay.png`` and the log go to ``out``."""
    settings = settings_from(cfg, TrainingSettings)
    training, out = run_of(SegmentationRun, settings), Path(settings.out)
    result = train_segmentation(training, out, together=True)
    if process_rank():
        return
    path = report_run(settings, training, result)
    pooled = result.test["pooled"]
    print(
        f"TEST Dice {pooled['dice']:.3f} (ED {pooled['dice_ed']:.3f}, ES {pooled['dice_es']:.3f}) with "
        f"{result.labelled_hearts} labelled videos, arm {training.arm}; see {path} and {out / 'overlay.png'}"
    )


register("train-segmentation", TrainingSettings)
