"""What made the clips of a benchmark, for the first lines of its report."""

import json
from pathlib import Path
from typing import Any

from echo_augment.augmentor.mcdm.pipeline import BUNDLED
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON
from echo_augment.cache.generator import DonorGenerator
from echo_augment.training_recipes.arms.specification import MAKINGS, WARP

from ..report.content import ClipsMade
from .design import Design

CODES = {
    "vector": "MAFE's motion features, one vector a clip",
    "mafe": "MAFE's flow, one code a frame",
    "flow": "the flow estimator's flow (not MAFE's), one code a frame",
}
TRANSPORT = {
    "mafe": "MAFE's flow and motion features, read by the motion transport",
    "teacher": "the flow estimator's flow (not MAFE's), read by the motion transport",
}


def tell(generator: DonorGenerator, kind: str, weights: str, design: Design, number: int = 0) -> ClipsMade:
    """Return what made a kind of clips.

    Args:
        generator: makes them.
        kind: of the clips.
        weights: ``bundled``, or the folder or Hub id of its weights.
        design: of the benchmark.
        number: of the generator, where several are trained.
    """
    if kind == "oracle":
        return ClipsMade(kind=kind, generator="the phantoms' own renderer")
    given = design.settings.generator
    if kind == WARP:
        return ClipsMade(kind=kind, generator="nothing learned", sampler=generator.sampler)
    own = given.weights is None and kind in MAKINGS
    return ClipsMade(
        kind=kind,
        generator="own" if own else weights,
        seed=given.seeds[number] if own and given.seeds is not None else None,
        sampler=generator.sampler,
        features=features_of(getattr(generator, "pipeline", None)) if kind in MAKINGS else "",
        videos=videos_of(BUNDLED if weights == "bundled" else Path(weights)),
        trained_on=_trained_on(weights, design) if kind in MAKINGS else "",
    )


def features_of(pipeline: Any) -> str:
    """Return whose motion features the clips of a pipeline follow; empty for what is none of ours."""
    config = getattr(pipeline, "config", None)
    if config is None or "code" not in config:
        return ""
    if config["code"] == "transport":
        return TRANSPORT.get(str(pipeline.transport.config["flow"]), "")
    return CODES.get(str(config["code"]), "")


def videos_of(folder: Path) -> int | None:
    """Return how many videos trained the weights in a folder; None where they do not say."""
    path = folder / TRAINED_ON
    return len(json.loads(path.read_text(encoding="utf-8"))["first"]) if path.is_file() else None


def _trained_on(weights: str, design: Design) -> str:
    given = design.settings.generator
    if weights == "bundled":
        return "phantoms of other sets, as its card says"
    if given.weights is not None:
        return "the videos that its record names"
    more = f" and of {len(given.also)} further data sets" if given.also else ""
    told = f" (train-generator {' '.join(given.train)})" if given.train else ""
    return f"the TRAIN videos of this run{more}{told}"
