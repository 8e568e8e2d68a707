"""The job ``train-ef``: train one EF regressor with one arm."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from echo_augment.augmentor.data import EchoNetDynamic, content_hash, probe_video
from echo_augment.augmentor.mcdm.generate import TRAINED_ON
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.files import write_json

from .ef_run import EfRun
from .ef_training import train_ef
from .reporting import write_report


def one_arm(arms: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The only arm of a configuration.

    Raises:
        EchoAugmentError: there are none or several.
    """
    if len(arms) != 1:
        raise EchoAugmentError(f"this job trains one arm, got {', '.join(arms) or 'none'}", "Give arm=NAME")
    return next(iter(arms.items()))


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
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    arm, spec = one_arm(plain["arm"])
    settings = EfRun(
        root=str(plain["data"]["root"]),
        arm=arm,
        spec=spec,
        labels=plain["labels"],
        seed=plain["seed"],
        model=plain["model"],
        trainer=plain["trainer"],
        val_at_least=plain["val_at_least"],
        caches={kind: str(folder) for kind, folder in plain["caches"].items()},
        device=plain["device"],
        unlabelled=plain["unlabelled"],
        teachers={name: str(folder) for name, folder in plain["teachers"].items()},
    )
    result = train_ef(settings, Path(cfg.out))
    if not (Path(cfg.out) / TRAINED_ON).exists():
        write_json(Path(cfg.out) / TRAINED_ON, training_hashes(settings.root))
    figures = {
        "task": "ef",
        "data": plain["data"]["name"],
        "label_fraction": result["labelled_hearts"] / result["train_hearts"],
        "seeds": [settings.seed],
        **{name: value for name, value in result.items() if name not in ("key", "seed")},
    }
    path = write_report(cfg.out, "train-ef", cfg, figures)
    print(
        f"TEST MAE {result['test']['mae']:.2f} EF points with {result['labelled_hearts']} labelled hearts, arm {arm}; "
        f"see {path}"
    )
