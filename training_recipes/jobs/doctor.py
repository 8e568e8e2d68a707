"""The job ``doctor``: lists everything that is wrong with a data set, a cache, a generator or the machine."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from omegaconf import DictConfig

from echo_augment.augmentor.data.selection import MANY
from echo_augment.cache.arguments import check_whole
from echo_augment.cache.errors import EchoAugmentError

from ..common.reporting import REPORT, write_report
from ..common.settings import JobSettings, register, settings_from
from ..doctor.areas import FolderSettings, cache, dataset, generator, machine
from ..doctor.findings import ERROR, text


@dataclass(kw_only=True)
class DoctorSettings(JobSettings):
    """What ``doctor`` is told.

    Attributes:
        data: data set to check.
        cache: folder of a cache to check; None for none.
        generator: generator to check: a folder, a Hub id or ``bundled``; None for none.
        decode: decode every frame of every video instead of the first.
        show: findings of one kind to print, at least 1.
    """

    data: FolderSettings = field(default_factory=FolderSettings)
    cache: str | None = None
    generator: str | None = None
    decode: bool = False
    show: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("show", self.show, 1)


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
    print(text(report, findings, settings.show))
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


register("doctor", DoctorSettings)
