"""What ``train-ef`` and ``train-segmentation`` do alike: from the settings to a run, and to its report."""

from pathlib import Path
from typing import Any

from ..common.dataset import dataset_root
from ..common.reporting import REPORT, write_report
from .run import Run, TrainingResult, TrainingRun
from .settings import EFTrainingSettings, TrainingSettings, recipe_of


def run_of(kind: type[Run], settings: TrainingSettings) -> Run:
    """Return the run that a job's settings ask for; phantoms are written first if the data set lacks them.

    Args:
        kind: ``EFRun`` or ``SegmentationRun``.
        settings: settings of the job.
    """
    [(arm, spec)] = settings.arm.items()
    model, trainer = recipe_of(spec, settings.model, settings.trainer)
    return kind(
        root=str(dataset_root(settings.data)),
        arm=arm,
        spec=spec,
        labels=settings.labels,
        seed=settings.seed,
        model=model,
        trainer=trainer,
        val_at_least=settings.val_at_least,
        caches=settings.caches,
        device=settings.device,
        ef_unit=settings.data.ef_unit,
        follow_links=settings.data.follow_links,
        unlabelled=settings.unlabelled if isinstance(settings, EFTrainingSettings) else None,
        teachers=settings.teachers if isinstance(settings, EFTrainingSettings) else {},
    )


def report_run(settings: TrainingSettings, run: TrainingRun, result: TrainingResult[Any]) -> Path:
    """Write the job's ``report.json`` and return its path.

    Args:
        settings: of the job.
        run: what was trained.
        result: what it found.
    """
    figures = {
        "task": run.task,
        "data": settings.data.name,
        "label_fraction": result.labelled_hearts / result.train_hearts,
        "seeds": [run.seed],
        **{name: value for name, value in result.to_json().items() if name not in ("key", "seed")},
    }
    write_report(settings.out, f"train-{run.task}", settings, figures)
    return Path(settings.out) / REPORT
