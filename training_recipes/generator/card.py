"""The model card of a trained generator."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from echo_augment.cache.system.files import atomic_path

from .prepare import Prepared
from .settings import Options, command_line, told
from .stages import ORDER

CARD = """---
library_name: diffusers
license: apache-2.0
tags: [echocardiography, video-generation, data-augmentation]
---
# MCDM, preset `{preset}`

Generates echocardiogram clips of one heart's look (a reference frame) beating with another heart's motion (codes of a
motion donor): {frames} frames at {rate:g} frames a second, {size} x {size} pixels. Method: MCDM (arXiv 2512.09418),
with {code}.

- **Data**: {data}. {hearts} hearts trained {learner}, {watched} more were kept aside to watch the training; no labels.
- **Trained by**: `{command}` (seed {seed})
{elsewhere}- **Fingerprint**: `{fingerprint}`

| stage | steps | seconds | figures |
|---|---|---|---|
{rows}

## Limits
{limits}Not a medical device; generated clips are for training and testing models only.

## Use
```python
from echo_augment.augmentor.mcdm import MCDMPipeline

pipe = MCDMPipeline.from_pretrained("path/to/this/folder")
```
"""
PHANTOM_LIMITS = (
    "Trained on procedural phantoms only, never on a real echocardiogram: on real hearts it runs, but its quality "
    "there is not claimed.\n"
)
PHANTOM_BUT_CODEC = (
    "All but the codec was trained on procedural phantoms only: on real hearts it runs, but its quality there is not "
    "claimed.\n"
)
PHANTOM_TEACHER = (
    "All but the student was trained on procedural phantoms only: on real hearts it runs, but its quality there is not "
    "claimed.\n"
)
OTHER_TEACHER = (
    "What trained the generator that was distilled is told by its own card, and its limits hold here, too.\n"
)

CODES = {
    "vector": "the paper's one motion vector per clip",
    "mafe": "one motion code per frame, MAFE's flow from the ED frame on a coarse grid",
    "flow": "one motion code per frame, the flow teacher's flow from the ED frame on a coarse grid",
}


def code_words(preset: DictConfig) -> str:
    """What the motion codes of a preset are."""
    if preset.code != "transport":
        return CODES[preset.code]
    whose = "MAFE's" if preset.transport.flow == "mafe" else "the flow teacher's"
    return (
        f"one motion code per frame: {preset.transport.code_size} numbers that a learned bottleneck reads off\n"
        f"the frame and {whose} flow from the ED frame, learned so as to depend little on the heart (motion transport)"
    )


def taken_words(options: Options, settings: Mapping[str, Any]) -> str:
    """Lines on networks that were trained elsewhere, with their hashes among a run's settings."""
    if "codec" in settings:
        place = told(options.codec, "a folder")
        return f"- **Codec**: trained elsewhere, taken from {place}; hash `{settings['codec']}`\n"
    if "teacher" in settings:
        place = "bundled" if options.distil == "bundled" else told(options.distil, "of a folder")
        return (
            f"- **Distilled from**: the generator {place}, hash `{settings['teacher']}`; "
            "its networks are here as they were, but for the denoiser, which is the student\n"
        )
    return ""


def limits_words(phantom: bool, options: Options) -> str:
    """What the data mean for the use of the weights."""
    if options.distil is None:
        return "" if not phantom else PHANTOM_LIMITS if options.codec is None else PHANTOM_BUT_CODEC
    if options.distil != "bundled":
        return OTHER_TEACHER
    return PHANTOM_LIMITS if phantom else PHANTOM_TEACHER


def write_card(
    folder: Path,
    cfg: DictConfig,
    data: Prepared,
    stages: dict[str, Any],
    fingerprint: str,
    *,
    options: Options | None = None,
    settings: dict[str, Any] | None = None,
) -> None:
    """Write ``README.md`` beside the weights.

    Args:
        folder: of the pipeline.
        cfg: of the run.
        data: the hearts that trained it.
        stages: figures by stage.
        fingerprint: of the weights.
        options: of the run beyond its preset.
        settings: of the run; hashes of a ``codec`` or a ``teacher`` that were trained elsewhere are among them.
    """
    options, settings = options or Options(), settings or {}
    phantom, teacher = cfg.data.name == "phantom", settings.get("teacher")
    rows = []
    for name, figures in sorted(stages.items(), key=lambda stage: ORDER.index(stage[0])):
        rest = ", ".join(f"{k} {_short(v)}" for k, v in figures.items() if k not in ("steps", "seconds"))
        rows.append(f"| {name} | {figures.get('steps', '')} | {figures['seconds']:.0f} | {rest} |")
    text = CARD.format(
        preset=cfg.preset.name,
        frames=cfg.preset.frames,
        rate=cfg.preset.rate,
        size=cfg.preset.size,
        code=code_words(cfg.preset),
        data=f"phantoms, set {cfg.data.seed}, n={cfg.data.n}" if phantom else "a folder in EchoNet-Dynamic's layout",
        hearts=len(data.training),
        learner="it" if teacher is None else "the student",
        watched=len(data.watched),
        command=f"echo-augment train-generator preset={cfg.preset.name} data={cfg.data.name}"
        f"{command_line(options, cfg.preset.student.kind)}",
        elsewhere=taken_words(options, settings),
        seed=cfg.seed,
        fingerprint=fingerprint,
        rows="\n".join(rows),
        limits=limits_words(phantom, options),
    )
    with atomic_path(folder / "README.md") as temporary:
        temporary.write_text(text, encoding="utf-8")


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3g}"
