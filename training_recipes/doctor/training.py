"""What a machine can train: at which batch it fits, what to set, and how many hours each stage will take."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import torch
from diffusers.models.modeling_utils import ModelMixin

from echo_augment.cache.system.files import JsonValue
from echo_augment.cache.system.progress import duration, follow

from ..common.text import markdown_table
from ..generator.networks import Networks, build_networks
from ..generator.preset import PresetSettings
from .findings import ERROR, WARNING, Finding
from .memory import GIGA, USABLE, Needs, count_needs
from .steps import Step, training_steps
from .timing import between_seconds, host_seconds, step_seconds

TRAIN_VIDEOS = 7465  # of EchoNet-Dynamic
WEEK = 7 * 24.0  # hours
LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a stage's batch fits into the memory.

    Attributes:
        items: that go through the network at once; the batch, or a part of it; 0: not even one fits.
        checkpointing: whether activations are computed again for that.
        gigabytes: what these items take.
        most: the largest batch that fits as it is.
    """

    items: int
    checkpointing: bool
    gigabytes: float
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageForecast:
    """What a stage will take.

    Attributes:
        stage: its name.
        batch: items of a step; None for a stage that trains nothing.
        fit: how they fit; None likewise.
        seconds: of a step, or of a video; of a pair for ``couplings``.
        count: steps, videos or pairs.
    """

    stage: str
    batch: int | None
    fit: Fit | None
    seconds: float
    count: int

    @property
    def hours(self) -> float:
        """In all."""
        return self.seconds * self.count / 3600

    def to_json(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        return cast(dict[str, JsonValue], asdict(self)) | {"hours": self.hours}


def memory_of(device: torch.device) -> float:
    """Return the bytes that are free on a device: a GPU's, or the host's that this process may use."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return float(torch.mps.recommended_max_memory())
    found = [float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))]
    table = Path("/proc/meminfo")
    if table.is_file():
        words = dict(line.split(":") for line in table.read_text(encoding="utf-8").splitlines())
        found.append(float(words["MemAvailable"].split()[0]) * 1024)
    if LIMIT.is_file() and (limit := LIMIT.read_text(encoding="utf-8").strip()).isdecimal():
        found.append(float(limit))
    return min(found)


def fit_into(memory: float, needs: Needs, items: int) -> Fit:
    """Return how a batch fits into so many bytes: whole, whole with checkpointing, or the largest equal part of it."""
    most = needs.most(memory)
    ways = (False, True) if needs.checkpointed is not None else (False,)
    parts = [part for part in range(items, 0, -1) if items % part == 0]
    for part in parts:
        for again in ways:
            if needs.of(part, checkpointing=again) <= USABLE * memory:
                return Fit(
                    items=part, checkpointing=again, gigabytes=needs.of(part, checkpointing=again) / GIGA, most=most
                )
    return Fit(items=0, checkpointing=ways[-1], gigabytes=needs.of(1, checkpointing=ways[-1]) / GIGA, most=most)


def to_set(steps: Sequence[Step], fits: dict[str, Fit]) -> list[str]:
    """Return what to give ``train-generator`` so that all stages fit: overrides, none if nothing is to be set.

    A batch that goes through in parts is made up for by ``accumulate``, which every stage follows; those that fit
    whole are divided by it, so that their steps stay as large as they were.
    """
    parts = max((step.items // max(1, fits[step.stage].items) for step in steps), default=1)
    found = ["checkpointing=true"] if any(one.checkpointing for one in fits.values()) else []
    if parts > 1:
        found.append(f"accumulate={parts}")
        for step in steps:
            found.append(f"preset.{step.stage}.{step.size}={max(1, step.items // parts)}")
    return found


def forecast(
    preset: PresetSettings,
    device: torch.device,
    precision: str,
    *,
    videos: int = TRAIN_VIDEOS,
    memory: float | None = None,
) -> tuple[dict[str, JsonValue], list[Finding], list[StageForecast]]:
    """Count what each stage needs, time a step of it, and say what to set and how long all will take.

    Args:
        preset: whose training is asked for.
        device: that would train.
        precision: ``no``, ``bf16`` or ``fp16``.
        videos: TRAIN videos.
        memory: bytes that may be used; None: what is free.

    Returns:
        Facts for the report, findings, and the stages in their order.
    """
    memory = memory_of(device) if memory is None else memory
    needs = count_needs(preset, precision)
    stages = []
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        nets = on_device(build_networks(preset), device)
        between = between_seconds(preset, nets, precision)
        steps = training_steps(preset, nets, lambda module: module.to(device))
        fits = {stage: fit_into(memory, needs[stage], one.items) for stage, one in steps.items()}
        for stage, step in follow(list(steps.items()), "timing a step of each stage", unit="stage"):
            fit = fits[stage]
            seconds = 0.0
            if fit.items:
                taken = step_seconds(step, fit.items, device, precision, checkpointing=fit.checkpointing)
                seconds = max(taken * step.items / fit.items, host_seconds(step, preset))
            stages.append(
                StageForecast(stage=stage, batch=step.items, fit=fit, seconds=seconds, count=step.settings.steps)
            )
    for stage, seconds in between.items():
        count = preset.couplings.clips if stage == "couplings" else videos
        stages.append(StageForecast(stage=stage, batch=None, fit=None, seconds=seconds, count=count))
    hours = sum(one.hours for one in stages)
    overrides = to_set(list(steps.values()), fits)
    facts: dict[str, JsonValue] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "memory_gb": memory / GIGA,
        "preset": preset.name,
        "precision": precision,
        "videos": videos,
        "hours": hours,
        "set": cast(JsonValue, overrides),
        "stages": {one.stage: one.to_json() for one in stages},
    }
    return facts, findings_of(preset, memory, overrides, stages), stages


def on_device(nets: Networks, device: torch.device) -> Networks:
    """Put networks on a device, in place."""
    for name in nets.__slots__:
        if isinstance(net := getattr(nets, name), ModelMixin):
            net.to(device)
    return nets


def findings_of(
    preset: PresetSettings, memory: float, overrides: Sequence[str], stages: Sequence[StageForecast]
) -> list[Finding]:
    """Return what stands in the way of a training: too little memory, or too many hours."""
    free, found = f"{memory / GIGA:.1f} GB", []
    too_large = [one for one in stages if one.fit is not None and not one.fit.items]
    for one in too_large:
        needed = one.fit.gigabytes if one.fit is not None else 0.0
        message = f"preset {preset.name}: one item of {one.stage} takes {needed:.1f} GB, and {free} are free"
        found.append(Finding(ERROR, "training", "memory", message, "Take a smaller preset, or a larger card"))
    if overrides and not too_large:
        message = f"preset {preset.name} as it is does not fit into the {free} that are free"
        remedy = f"Give train-generator {' '.join(overrides)}"
        found.append(Finding(WARNING, "training", "memory", message, remedy))
    hours = sum(one.hours for one in stages)
    if hours > WEEK:
        longest = max(stages, key=lambda one: one.hours)
        message = f"preset {preset.name} takes {duration(hours * 3600)} here, {longest.stage} the most of it"
        remedy = f"Take a faster device, a smaller preset, or fewer steps: preset.{longest.stage}.steps"
        found.append(Finding(WARNING, "training", "time", message, remedy))
    return found


def table(stages: Sequence[StageForecast]) -> str:
    """Return the forecast to read."""
    rows = []
    for one in stages:
        fit, unit = one.fit, "step" if one.batch is not None else "pair" if one.stage == "couplings" else "video"
        batch = memory = most = ""
        if fit is not None and one.batch is not None:
            parts = f" as {one.batch // fit.items} x {fit.items}" if fit.items and fit.items != one.batch else ""
            batch, most = f"{one.batch}{parts}", str(fit.most)
            memory = f"{fit.gigabytes:.1f} GB{', checkpointed' if fit.checkpointing else ''}"
        time = f"{one.seconds:.3g} s a {unit}"
        rows.append([one.stage, batch, memory, most, time, f"{one.count:,}", duration(one.hours * 3600)])
    rows.append(["together", "", "", "", "", "", duration(sum(one.hours for one in stages) * 3600)])
    return markdown_table(["stage", "batch", "memory", "largest batch", "time", "of them", "takes"], rows)
