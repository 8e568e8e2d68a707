"""The job ``train-ef``: train one EF regressor with one arm."""

from pathlib import Path

from omegaconf import DictConfig
from tqdm import tqdm

from echo_augment.augmentor.data import EchoNetDynamic, content_hash, probe_video
from echo_augment.augmentor.mcdm.clip_generator import TRAINED_ON
from echo_augment.cache.system.files import write_json

from .ef_run import EfRun
from .ef_training import train_ef
from .train_job import report_run, run_of


def training_hashes(root: str) -> dict[str, list[str]]:
    """Hashes of the TRAIN videos, by which another data set's VAL and TEST are told apart from them."""
    paths = [row.path for row in EchoNetDynamic(root, "train", "EF", require_tracings=False, on_error="skip").rows]
    return {
        "first": [probe_video(path).first for path in paths],
        "content": [content_hash(path) for path in tqdm(paths, desc="hashes", unit="video")],
    }


def run(cfg: DictConfig) -> None:
    """Train, select on VAL, test once; ``report.json``, ``model.safetensors`` and the log go to ``out``.

    ``out`` can then be the teacher of ``fill-cache``.
    """
    settings, out = run_of(EfRun, cfg), Path(cfg.out)
    result = train_ef(settings, out)
    if not (out / TRAINED_ON).exists():
        write_json(out / TRAINED_ON, training_hashes(settings.root))
    path = report_run(cfg, "ef", settings, result)
    print(
        f"TEST MAE {result['test']['mae']:.2f} EF points with {result['labelled_hearts']} labelled hearts, arm "
        f"{settings.arm}; see {path}"
    )
