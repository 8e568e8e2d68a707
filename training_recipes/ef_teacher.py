"""The net of a finished EF training, as the teacher that reads EF from unlabelled clips."""

import json
from collections.abc import Collection
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_model
from torch import nn

from echo_augment.cache.errors import EchoAugmentError

from .ef_models import make_model
from .ef_run import RESULT, SETTINGS

WEIGHTS = "model.safetensors"


def load_net(folder: str | Path) -> nn.Module:
    """The selected net of a finished training, in eval mode: clips ``(B, 3, T, H, W)`` to EF ``(B,)`` in percent.

    Args:
        folder: of the training: ``out`` of ``train-ef``, or a folder in ``runs/`` of a benchmark.

    Raises:
        EchoAugmentError: there is no finished training in it, or its files do not fit together.
    """
    folder = Path(folder)
    for name in (RESULT, SETTINGS, WEIGHTS):
        if not (folder / name).is_file():
            raise EchoAugmentError(f"{folder / name}: is missing", "Give the folder of a finished train-ef as teacher")
    try:
        model = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["model"]
        settings = dict(model.get("settings") or {})
        if "weights" in settings:
            settings["weights"] = "random"  # the trained weights follow: nothing to download
        net = make_model(model["name"], settings, 0)
        load_model(net, str(folder / WEIGHTS))
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise EchoAugmentError(f"{folder}: is no teacher that can be read ({error})", "Train it anew") from error
    return net.eval()


def known_hearts(folder: str | Path) -> list[str]:
    """Names of the TRAIN hearts whose labels the net in the folder of a finished training learned from.

    Raises:
        EchoAugmentError: the training there is not finished, or its result cannot be read.
    """
    path = Path(folder) / RESULT
    try:
        known: list[str] = json.loads(path.read_text(encoding="utf-8"))["labelled"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EchoAugmentError(
            f"{path}: does not say which hearts were labelled ({error})", "Give the folder of a finished training"
        ) from None
    return known


def check_teacher(folder: str | Path, labelled: Collection[str]) -> None:
    """Refuse a teacher that knows labels which the run it teaches must not know.

    Args:
        folder: of the teacher's training.
        labelled: names of the hearts whose labels the run knows.

    Raises:
        EchoAugmentError: naming a heart; or as `known_hearts`.
    """
    more = sorted(set(known_hearts(folder)) - set(labelled))
    if more:
        others = f" and of {len(more) - 1} more hearts" if len(more) > 1 else ""
        raise EchoAugmentError(
            f"teacher {folder}: it learned the EF of {more[0]}{others}, which this run must not know",
            "Train it with the labels and the seed of this run",
        )
