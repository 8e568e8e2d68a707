"""The job ``train-ef``: train one EF regressor with one arm."""

from pathlib import Path

from omegaconf import DictConfig

from echo_augment.augmentor.devices import process_rank
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON

from ..common.dataset import training_videos
from ..common.settings import register, settings_from
from ..ef.run import EFRun
from ..ef.training import train_ef
from ..training.job import report_run, run_of
from ..training.settings import EFTrainingSettings


def run(cfg: DictConfig) -> None:
    """Train, select on VAL, test once; ``report.json``, ``model.safetensors`` and the log go to ``out``.

    ``out`` can then be the teacher of ``fill-cache``. The processes of an ``accelerate launch`` share every batch.
    """
    settings = settings_from(cfg, EFTrainingSettings)
    training, out = run_of(EFRun, settings), Path(settings.out)
    result = train_ef(training, out, together=True)
    if process_rank():
        return
    if not (out / TRAINED_ON).exists():
        training_videos(training.data()).write(out)
    path = report_run(settings, training, result)
    print(
        f"TEST MAE {result.test.mae:.2f} EF points with {result.labelled_hearts} labelled videos, arm "
        f"{training.arm}; see {path}"
    )


register("train-ef", EFTrainingSettings)
