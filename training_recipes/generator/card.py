"""The model card of a trained generator."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from echo_augment.augmentor.mcdm.codec import HUB
from echo_augment.cache.system.files import atomic_path

from ..common.dataset import DataSettings
from ..common.lpips import hash_lpips
from ..common.text import markdown_table
from ..judging.kept_aside import KeptAside
from .ledger import RunSettings
from .prepare import Prepared
from .preset import PresetSettings, named_preset, preset_names
from .settings import GeneratorSettings
from .stages import NAMES, Figures

CARD = """---
library_name: diffusers
license: apache-2.0
tags: [echocardiography, video-generation, data-augmentation]
---
# MCDM, preset `{preset}`

Generates echocardiogram clips of the heart in a reference frame (the appearance donor's) that beats as another one does
(by codes of the motion donor): {frames} frames at {rate:g} frames a second, {size} x {size} pixels. Method: MCDM (arXiv
2512.09418), with {code}.

- **Data**: {data}. {videos} videos trained {learner}, {watched} more were kept aside to watch the training; no labels.
- **Trained by**: `{command}` (seed {seed})
{elsewhere}{loss}- **Fingerprint**: `{fingerprint}`

{stages}
{reenactment}
## Limits
{limits}Not a medical device; generated clips are for training and testing models only.

## Use
```python
from echo_augment.augmentor.mcdm import MCDMPipeline

pipe = MCDMPipeline.from_pretrained("path/to/this/folder")
```
"""
PHANTOM_LIMITS = (
    "Trained on procedural phantoms only, never on a real echocardiogram: on real videos it runs, but its quality "
    "there is not claimed.\n"
)
PHANTOM_BUT_CODEC = (
    "All but the codec was trained on procedural phantoms only: on real videos it runs, but its quality there is not "
    "claimed.\n"
)
PHANTOM_SOURCE = (
    "All but the student was trained on procedural phantoms only: on real videos it runs, but its quality there is not "
    "claimed.\n"
)
PHANTOM_START = (
    "Its weights come from phantoms and were trained further on other videos: on real ones it runs, but its quality "
    "there is not claimed.\n"
)
OTHER_START = (
    "What trained the generator that it started from is told by its own card, and its limits hold here, too.\n"
)
OTHER_SOURCE = "What trained the generator that was distilled is told by its own card, and its limits hold here, too.\n"

CODES = {
    "vector": "one motion vector per clip: MCDM's form, its sizes in preset paper alone",
    "mafe": "one motion code per frame, MAFE's flow from the ED frame on a coarse grid",
    "flow": "one motion code per frame, the flow estimator's flow from the ED frame on a coarse grid",
}


CONF = "echo_augment.training_recipes.conf"
PHANTOMS = (
    "splits",
    "frames",
    "fps",
    "format",
    "population",
    "recording",
    "label_noise",
)  # settings of what is written
FOLDERS = ("codec.lpips_weights", "mafe.start")  # settings that are paths


def code_words(preset: PresetSettings) -> str:
    """Return what the motion codes of a preset are, in words."""
    if preset.code != "transport":
        return CODES[preset.code]
    whose = "MAFE's flow and motion features" if preset.transport.flow == "mafe" else "the flow estimator's flow"
    return (
        f"one motion code per frame: {preset.transport.code_size} numbers that a learned bottleneck reads off\n"
        f"the frame and {whose} from the ED frame, learned so as to depend little on the heart (motion transport);\n"
        "the denoiser samples what the transport's prediction leaves open"
    )


def told(source: str | None, folder: str) -> str:
    """Return where networks came from, for others: a Hub id as it is, but ``folder`` for a path of this machine."""
    on_hub = source is not None and (source.startswith(HUB) or re.fullmatch(r"[\w.-]+/[\w.-]+", source))
    return source if source is not None and on_hub and not Path(source).exists() else folder


def command_line(settings: GeneratorSettings) -> str:
    """Return the command that trains such a generator; a folder's path is left to the reader."""
    words = [f"echo-augment train-generator preset={settings.preset.name} data={settings.data.name}"]
    if settings.data.name == "phantom":
        words += phantom_words(settings.data)
    if settings.codec is not None:
        words.append(f"codec={told(settings.codec, 'FOLDER')}")
    if settings.losses is not None:
        words.append(f"losses={settings.losses}")
    if settings.distil is not None:
        words.append(f"distil={'bundled' if settings.distil == 'bundled' else told(settings.distil, 'GENERATOR')}")
    elif settings.last == "student":
        words.append("only=student")
    if settings.start is not None:
        words.append(f"start={'bundled' if settings.start == 'bundled' else told(settings.start, 'GENERATOR')}")
    if settings.batches_a_step > 1:
        words.append(f"accumulate={settings.batches_a_step}")
    return " ".join([*words, *preset_words(settings)])


def phantom_words(data: DataSettings) -> list[str]:
    """Return the overrides that write the same phantoms: how many, of which seed, and what is not as usual."""
    usual = OmegaConf.load(Path(str(files(CONF))) / "data" / "phantom.yaml")
    given = {name: getattr(data, name) for name in PHANTOMS}
    told = {name: value for name, value in given.items() if value != OmegaConf.select(usual, name)}
    return [f"data.{name}={yaml_word(value)}" for name, value in {"n": data.n, "seed": data.seed, **told}.items()]


def preset_words(settings: GeneratorSettings) -> list[str]:
    """Return the overrides of what a run trains otherwise than its preset does; folders are left to the reader.

    A preset that is not in ``conf/preset`` is its user's own, and named as it is.
    """
    preset = settings.preset
    if preset.name not in preset_names():
        return []
    given, usual = (dict(_leaves(one)) for one in (preset, named_preset(preset.name)))
    trained = {stage.name for stage in settings.stages}
    if settings.codec is not None:
        trained -= {"codec"}
    if settings.distil is not None:
        trained &= {"student", "couplings"}
    words = []
    for key, value in given.items():
        section = key.partition(".")[0]
        unread = section in NAMES and section not in trained
        if value == usual[key] or unread or key.endswith(".save_every"):  # which changes no weights
            continue
        shown = "FOLDER" if key in FOLDERS else yaml_word(value)
        words.append(f"preset.{key}={shown}")
    return words


def yaml_word(value: object) -> str:
    """Return a setting's value as Hydra reads it from the command line."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value).replace(" ", "")


def _leaves(settings: Any, path: str = "") -> Iterator[tuple[str, object]]:
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            yield from _leaves(value, f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}", value


def taken_words(settings: GeneratorSettings, run: RunSettings) -> str:
    """Return a line on networks that were trained elsewhere, with their hash; empty for a run that trained all."""
    if run.codec is not None:
        return f"- **Codec**: trained elsewhere, taken from {told(settings.codec, 'a folder')}; hash `{run.codec}`\n"
    if run.start is not None:
        place = "bundled" if settings.start == "bundled" else told(settings.start, "of a folder")
        return f"- **Started from**: the generator {place}, hash `{run.start}`; its networks were trained further\n"
    if run.teacher is not None:
        place = "bundled" if settings.distil == "bundled" else told(settings.distil, "of a folder")
        return (
            f"- **Distilled from**: the generator {place}, hash `{run.teacher}`; "
            "its networks are here as they were, but for the denoiser, which is the student\n"
        )
    return ""


def loss_words(settings: GeneratorSettings) -> str:
    """Return a line on LPIPS in the codec's loss; empty where no codec was trained, or it was not to have it."""
    codec = settings.preset.codec
    if not codec.lpips or not codec.steps or settings.codec is not None or settings.distil is not None:
        return ""
    if not codec.perceives:
        return "- **Codec's loss**: without LPIPS, whose weights were not given (`preset.codec.lpips_weights`)\n"
    weights = hash_lpips(Path(str(codec.lpips_weights)))
    return f"- **Codec's loss**: with LPIPS of VGG-16, weight {codec.lpips:g}; hash of its weights `{weights}`\n"


def limits_words(settings: GeneratorSettings) -> str:
    """Return what the training data mean for the use of the weights."""
    phantom = settings.data.name == "phantom"
    if settings.start is not None:
        return OTHER_START if settings.start != "bundled" else PHANTOM_LIMITS if phantom else PHANTOM_START
    if settings.distil is None:
        return "" if not phantom else PHANTOM_LIMITS if settings.codec is None else PHANTOM_BUT_CODEC
    if settings.distil != "bundled":
        return OTHER_SOURCE
    return PHANTOM_LIMITS if phantom else PHANTOM_SOURCE


def write_card(
    folder: Path,
    settings: GeneratorSettings,
    run: RunSettings,
    data: Prepared,
    stages: Mapping[str, Figures],
    fingerprint: str,
    judged: KeptAside | None = None,
) -> None:
    """Write ``README.md`` beside the weights.

    Args:
        folder: the pipeline's.
        settings: the job's.
        run: what decided the weights.
        data: the videos that trained it.
        stages: figures by stage.
        fingerprint: hash of the weights.
        judged: re-enactment of the videos kept aside; None if it was left out.
    """
    preset, source = settings.preset, settings.data
    phantoms = f"phantoms, set {source.seed}, n={source.n}"
    text = CARD.format(
        preset=preset.name,
        frames=preset.frames,
        rate=preset.rate,
        size=preset.size,
        code=code_words(preset),
        data=phantoms if source.name == "phantom" else "a folder in EchoNet-Dynamic's layout",
        videos=len(data.training),
        learner="it" if run.teacher is None else "the student",
        watched=len(data.watched),
        command=command_line(settings),
        elsewhere=taken_words(settings, run),
        loss=loss_words(settings),
        seed=settings.seed,
        fingerprint=fingerprint,
        stages=stage_table(stages),
        reenactment="" if judged is None else f"\n## Re-enactment\n{judged.text()}\n",
        limits=limits_words(settings),
    )
    with atomic_path(folder / "README.md") as temporary:
        temporary.write_text(text, encoding="utf-8")


def stage_table(stages: Mapping[str, Figures]) -> str:
    """Return steps, seconds and figures of each stage as Markdown."""
    rows = []
    for name in (name for name in NAMES if name in stages):
        figures = dict(stages[name])
        steps, seconds = figures.pop("steps", ""), figures.pop("seconds")
        rows.append([name, str(steps), f"{seconds:.0f}", ", ".join(f"{k} {_short(v)}" for k, v in figures.items())])
    return markdown_table(["stage", "steps", "seconds", "figures"], rows)


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3g}"
