"""What ``doctor`` finds: a thing to mend, with its remedy, and how all of them are printed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from echo_augment.augmentor.data.checkup import many_missing
from echo_augment.augmentor.data.selection import MANY
from echo_augment.cache.system.files import JsonValue

from ..common.reporting import plain

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Finding:
    """One thing to mend.

    Attributes:
        level: ``"error"`` or ``"warning"``.
        area: ``"data"``, ``"cache"``, ``"generator"``, ``"machine"`` or ``"training"``.
        kind: groups the findings of an area.
        message: what is wrong, naming file and value.
        remedy: what to do.
    """

    level: str
    area: str
    kind: str
    message: str
    remedy: str


def text(report: Mapping[str, dict[str, JsonValue]], findings: Sequence[Finding], show: int) -> str:
    """The findings and facts to read, at most ``show`` of a kind."""
    lines = []
    for area, facts in report.items():
        lines.append(f"{area}:")
        lines += [f"  {name}: {_short(value)}" for name, value in plain(facts).items()]
        groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
        for finding in findings:
            if finding.area == area:
                groups[finding.level, finding.kind].append(finding)
        for (level, kind), group in sorted(groups.items()):
            if kind == "missing" and len(group) > MANY:
                said = many_missing([item.message for item in group], _short(facts.get("splits")))
                lines.append(f"  {level.upper()} [{kind}] {said}")
                continue
            lines += [f"  {level.upper()} [{kind}] {item.message}. {item.remedy}" for item in group[:show]]
            if len(group) > show:
                lines.append(f"  {level.upper()} [{kind}] ... and {len(group) - show} more")
    return "\n".join(lines)


def _short(value: Any) -> str:
    """A fact on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(item)}" for name, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_short, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
