"""The fidelity report as Markdown."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from echo_augment.cache.system.files import atomic_path

from .adherence import curve_text
from .strength import strength_text


def write_text(path: Path, text: str) -> None:
    """Write ``text`` atomically, with a heading, and the names of the plots beside it."""
    plots = "Plots: `label.png`, `contact_sheet.png`, `pairs.gif`, and `curve.png` where steps were compared."
    with atomic_path(path) as temporary:
        temporary.write_text(f"# Fidelity\n\n{text}\n\n{plots}\n", encoding="utf-8")


def report_text(figures: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """All figures of a fidelity report, as Markdown tables that a terminal shows well enough, too.

    Args:
        figures: of the report.
        titles: of the rows.
    """
    quality = figures["reader"]
    parts = [
        f"EF reader on phantoms it never saw: R2 {quality['r2']:.3f}, MAE {quality['mae']:.2f} EF points. "
        f"{figures['pairs']} pairs, {figures['sampler']}, {figures['seconds_per_clip']:.2f} s a clip with decode.",
        rows_text(figures["rows"], titles),
        f"Re-ID calls the appearance donor the nearest heart in {100 * figures['reid_nearest']:.0f} % of pairs.",
        label_text(figures["label"]),
        rate_text(figures["heart_rate"]),
        phase_text(figures["phase"]),
        frechet_text(figures["frechet"]),
    ]
    if "masks" in figures:
        parts.append(masks_text(figures["masks"]))
    if "coverage" in figures:
        parts.append(coverage_text(figures["coverage"]))
    if "curve" in figures:
        parts.append("## Steps\n" + curve_text(figures["curve"]))
    if "strength" in figures:
        parts.append(strength_text(figures["strength"]))
    return "\n\n".join(parts)


def rows_text(rows: Mapping[str, Mapping[str, float]], titles: Mapping[str, str]) -> str:
    """EF adherence, swap test and counterfactual error of every row."""
    lines = ["| clips (phantoms) | R2 | MAE | r | motion | look | PSNR | SSIM |", "|---|---|---|---|---|---|---|---|"]
    for row, title in titles.items():
        f = rows[row]
        alike = f"{f['psnr']:.2f} | {f['ssim']:.3f}" if "psnr" in f else " | "
        weights = f"{f['motion_weight']:.2f} | {f['appearance_weight']:.2f}"
        lines.append(f"| {title:<46} | {f['r2']:.2f} | {f['mae']:.2f} | {f['r']:.2f} | {weights} | {alike} |")
    return "\n".join(lines)


def label_text(label: Mapping[str, Any]) -> str:
    """Errors by quarters of EF and of the ratio of sizes."""
    transport = label["transport"]
    lines = [
        "## Label",
        f"The donor's EF against the counterfactual's own: MAE {transport['mae']:.2f}, bias {transport['bias']:+.2f}.",
        "",
        "| quarter of the donor's EF | " + " | ".join(f"{row}: MAE (bias)" for row in label["by_ef"]) + " |",
        "|---|" + "---|" * len(label["by_ef"]),
    ]
    lines += _quarters(label["by_ef"])
    sizes = {row: found["quarters"] for row, found in label["by_size"].items()}
    lines += ["", "| quarter of LV size, motion / look | " + " | ".join(f"{row}: MAE (bias)" for row in sizes) + " |"]
    lines += ["|---|" + "---|" * len(sizes), *_quarters(sizes, ".2f"), ""]
    slopes = ", ".join(f"{row} {found['slope']:+.2f} (r {found['r']:+.2f})" for row, found in label["by_size"].items())
    return "\n".join([*lines, f"EF points a doubling of that ratio: {slopes}."])


def _quarters(rows: Mapping[str, Any], digits: str = ".0f") -> list[str]:
    lines = []
    for number in range(len(next(iter(rows.values())))):
        first = next(iter(rows.values()))[number]
        cells = [f"{found[number]['mae']:.1f} ({found[number]['bias']:+.1f})" for found in rows.values()]
        lines.append(f"| {first['low']:{digits}} to {first['high']:{digits}} | " + " | ".join(cells) + " |")
    return lines


def rate_text(rates: Mapping[str, Mapping[str, float]]) -> str:
    """Heart-rate errors."""
    cells = [
        f"{row} MAE {f['mae']:.1f} a minute, bias {f['bias']:+.1f}, {100 * f['within_10']:.0f} % within 10 %"
        for row, f in rates.items()
    ]
    return "## Heart rate against the motion donor's\n" + "; ".join(cells) + "."


def phase_text(phase: Mapping[str, Any]) -> str:
    """Errors of the ED and ES frames found without labels."""
    lines = ["## ED and ES frames found without labels, in frames at 50 fps"]
    for what, found in phase.items():
        cells = [
            f"{name.upper()} median {found[name]['median']:.1f} (quartiles {found[name]['quartiles'][0]:.1f} to "
            f"{found[name]['quartiles'][1]:.1f}), 90 % {found[name]['p90']:.1f}, "
            f"{100 * found[name]['within_3']:.0f} % within 3"
            for name in ("ed", "es")
        ]
        lines.append(f"- {what} ({found['n']} videos): " + "; ".join(cells))
    return "\n".join(lines)


def frechet_text(distances: Mapping[str, Any]) -> str:
    """Fréchet distances, the floor first."""
    cells = [f"{row} {value:.2f}" for row, value in distances.items() if row != "extractor"]
    return f"## Fréchet distance to real clips (features: {distances['extractor']})\n" + ", ".join(cells) + "."


def masks_text(masks: Mapping[str, Mapping[str, float]]) -> str:
    """Overlap of a segmenter's masks with the counterfactual's true ones."""
    cells = [f"{row} {f['dice']:.3f} (ED {f['dice_ed']:.3f}, ES {f['dice_es']:.3f})" for row, f in masks.items()]
    return "## LV masks, Dice with the counterfactual's own\n" + "; ".join(cells) + "."


def coverage_text(found: Mapping[str, Any]) -> str:
    """Coverage and privacy."""
    share = {key: f"{100 * value:.0f} %" for key, value in found.items() if isinstance(value, float)}
    return (
        f"## Coverage and privacy, {found['hearts']} training hearts, by re-ID\n"
        f"- clips with their looks that are nearest to their own heart: {share['reached']}\n"
        f"- too close to it (more alike than 95 % of halves of one video): {share['too_close']}\n"
        f"- too close to some clip of which the heart is no donor: {share['remembered']}\n"
        f"- inside the manifold of generated looks: {share['recall_generated']}; "
        f"of as many real held-out ones: {share['recall_real']}"
    )
