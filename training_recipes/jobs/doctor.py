"""The job ``doctor``: lists everything that is wrong with a data set, a cache, a generator or the machine.

Asked for a device or a preset, it also says what of the generator's training this machine can do, and for how long.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from omegaconf import DictConfig

from echo_augment.augmentor.data.selection import MANY
from echo_augment.augmentor.data.table import read_table
from echo_augment.augmentor.devices import AUTO, best_device
from echo_augment.cache.arguments import check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

from ..common.dataset import FolderSettings
from ..common.reporting import REPORT, write_report
from ..common.settings import JobSettings, register, settings_from
from ..doctor.areas import cache, dataset, generator, machine
from ..doctor.findings import ERROR, Finding, text
from ..doctor.training import TRAIN_VIDEOS, StageForecast, forecast, table
from ..generator.preset import PresetSettings, named_preset
from .train_generator import choose_precision


@dataclass(kw_only=True)
class DoctorSettings(JobSettings):
    """What ``doctor`` is told.

    Attributes:
        data: data set to check.
        cache: folder of a cache to check; None for none.
        generator: generator to check: a folder, a Hub id or ``bundled``; None for none.
        preset: whose training to forecast; None: ``base`` on a GPU, else ``tiny``, if ``device`` is all that is given;
            else no forecast.
        decode: decode every frame of every video instead of the first.
        show: findings of one kind to print, at least 1.
    """

    data: FolderSettings = field(default_factory=FolderSettings)
    cache: str | None = None
    generator: str | None = None
    preset: PresetSettings | None = None
    decode: bool = False
    show: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("show", self.show, 1)

    @property
    def forecasts(self) -> PresetSettings | None:
        """The preset whose training is forecast; None for none."""
        others = (self.data.root, self.cache, self.generator)
        if self.preset is not None or self.device == AUTO or any(one is not None for one in others):
            return self.preset
        return named_preset("base" if torch.device(best_device(self.device)).type == "cuda" else "tiny")


def run(cfg: DictConfig) -> None:
    """Run the checks that are asked for, print the findings, write ``report.json``.

    Raises:
        EchoAugmentError: there are errors.
    """
    settings = settings_from(cfg, DoctorSettings)
    out = Path(settings.out)
    facts, findings = machine(out)
    report = {"machine": facts}
    if settings.data.root is not None:
        facts, found = dataset(settings.data.root, settings.data, decode=settings.decode)
        report["data"], findings = facts, findings + found
    if settings.cache is not None:
        facts, found = cache(settings.cache, settings.data)
        report["cache"], findings = facts, findings + found
    if settings.generator is not None:
        facts, found = generator(settings.generator)
        report["generator"], findings = facts, findings + found
    stages: list[StageForecast] = []
    if (preset := settings.forecasts) is not None:
        facts, found, stages = training(preset, settings)
        report["training"], findings = facts, findings + found
    short = {area: {name: one for name, one in facts.items() if name != "stages"} for area, facts in report.items()}
    print(text(short, findings, settings.show))
    if stages:
        print(f"\n{table(stages)}\n")
    errors = sum(finding.level == ERROR for finding in findings)
    warnings = len(findings) - errors
    figures = {"errors": errors, "warnings": warnings, "findings": [asdict(item) for item in findings], **report}
    write_report(out, "doctor", settings, figures)
    path = out / REPORT
    if errors:
        missing = sum(finding.kind == "missing" for finding in findings)
        many = f"{missing} rows without a video, " if missing > MANY else ""
        others = errors - missing if many else errors
        count = f"{many}{others} {'other ' if many else ''}error{'s'[: others != 1]} and "
        count += f"{warnings} warning{'s'[: warnings != 1]}"
        raise EchoAugmentError(count, f"All of them, with remedies: {path}")
    print(f"no errors, warnings: {warnings}; details: {path}")


def training(
    preset: PresetSettings, settings: DoctorSettings
) -> tuple[dict[str, JsonValue], list[Finding], list[StageForecast]]:
    """Forecast a preset's training on the device; with a data set, on its TRAIN videos."""
    device, videos = torch.device(best_device(settings.device)), TRAIN_VIDEOS
    if settings.data.root is not None:
        with suppress(EchoAugmentError):  # what is wrong with it is a finding already
            videos = len(read_table(settings.data.root, ef_unit="percent").split("TRAIN"))
    return forecast(preset, device, choose_precision("auto", settings.device), videos=videos)


register("doctor", DoctorSettings)
