"""``report.json`` as the golden tests compare it: flat, without what may differ between two runs of the same code."""

import json
import math
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ANY = "<any>"
ROOT = "<folder>"
RELATIVE = ABSOLUTE = 1e-3

EXCLUDED = {
    "*:config": "the composed settings, frozen by test_golden_configs",
    "*:versions.*": "versions of packages; their names are compared",
    "*:*seconds": "a time",
    "*:arithmetic.*": "facts of the machine; their names are compared",
    "*:arithmetic[]": "likewise",
    "*:*seconds_per_clip": "a time",
    "*:*clips_per_second": "a time",
    "*:minutes": "a time",
    "*:machine.*": "facts of the machine; their names are compared",
    "doctor*:machine.devices": "facts of the machine",
    "doctor*:machine.versions": "versions of packages",
    "speed:machine.devices": "facts of the machine",
    "speed:tables.*.rows[].median": "follows from times",
    "speed:tables.*.rows[].quartiles": "follows from times",
    "speed:tables.*.rows[].verdict": "follows from times",
    "speed:tables.*.rows[].detail": "times in words",
    "speed:targets.*": "how many times were fast enough",
    "*:*fingerprint": "hash of weights, version and donors; that of a fill is frozen by test_golden_keys",
    "*:reader.hash": "hash of weights",
    "benchmark:made[].sampler": "of the bundled weights",
    "benchmark:made[].features": "likewise",
    "benchmark:made[].videos": "likewise",
    "cache*:*bytes": "compressed clips: depends on the processor's bf16 and the versions of HDF5 and LZ4",
    "cache*:*size": "likewise",
    "benchmark:clips[].size": "likewise",
    "doctor*:cache.*bytes": "likewise",
    "benchmark:arms.*.calibration.*": "a slope over nearly equal predictions: rounding decides it",
    "benchmark:contrasts.*.calibration*": "likewise",
    "fidelity:rows.*.motion_weight": "a regression over three pairs: rounding decides it",
    "fidelity:rows.*.appearance_weight": "likewise",
    "fidelity:label.by_size.*.slope": "likewise",
}
"""What is not compared, by ``report:path`` (lists as ``[]``), and why. Where it is a mapping or a list, all of it."""


def excluded(report: str, path: str) -> bool:
    """Whether a value is not compared.

    Args:
        report: name of the run's folder.
        path: in it, lists as ``[]``.
    """
    return any(fnmatchcase(f"{report}:{path}", pattern.replace("[", "[[]")) for pattern in EXCLUDED)


def collapsed(path: str) -> str:
    """``a[3].b`` as ``a[].b``."""
    return re.sub(r"\[\d+\]", "[]", path)


def flat(report: str, value: Any, root: Path, path: str = "") -> dict[str, Any]:
    """Every leaf by its path, ``a.b[0].c``; what is excluded is ``<any>``, the run's folder in a text ``<folder>``."""
    if path and excluded(report, collapsed(path)):
        return {path: ANY}
    if isinstance(value, dict) and value:
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= flat(report, item, root, f"{path}.{key}" if path else key)
        return found
    if isinstance(value, list) and value:
        found = {}
        for place, item in enumerate(value):
            found |= flat(report, item, root, f"{path}[{place}]")
        return found
    return {path: value.replace(str(root), ROOT) if isinstance(value, str) else value}


def read_report(root: Path, name: str) -> dict[str, Any]:
    """The flat report of one run; a doctor's without what it says of the machine."""
    report = json.loads((root / name / "report.json").read_text(encoding="utf-8"))
    if report["job"] == "doctor":
        report["findings"] = [one for one in report["findings"] if one["area"] != "machine"]
        report["warnings"] = sum(one["level"] == "warning" for one in report["findings"])
    return flat(name, report, root)


def same(golden: Any, found: Any) -> bool:
    """Floating-point numbers within the tolerances; all else equal and of one type."""
    if isinstance(golden, float) and isinstance(found, float):
        return math.isclose(golden, found, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return type(golden) is type(found) and golden == found


def differences(golden: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What is gone, what is new and what has another value, a line each."""
    lines = [f"{path}: is gone" for path in golden if path not in found]
    lines += [f"{path}: is new" for path in found if path not in golden]
    both = [path for path in golden if path in found]
    lines += [
        f"{path}: {golden[path]!r} was, {found[path]!r} is" for path in both if not same(golden[path], found[path])
    ]
    return lines
