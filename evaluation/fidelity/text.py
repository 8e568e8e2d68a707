"""The fidelity report as Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from echo_augment.cache.system.files import atomic_path
from echo_augment.training_recipes.common.text import markdown_table

from .adherence import Quarter
from .beats import PhaseError, PhaseErrors, RateError
from .coverage import Coverage
from .curve import ENOUGH, CurvePoint, fewest_steps
from .distances import Carried, FrechetDistances, Overlap
from .results import ROWS, FidelityReport, LabelFigures, RowFigures
from .spread import SeedSpread
from .strength import Strength

PLOTS = "Plots: `label.png`, `contact_sheet.png`, `pairs.gif`, and `curve.png` where steps were compared."


def write_text(path: Path, text: str, plots: str = PLOTS) -> None:
    """Write ``text`` atomically, with a heading, and a line on the pictures beside it."""
    with atomic_path(path) as temporary:
        temporary.write_text(f"# Fidelity\n\n{text}\n\n{plots}\n", encoding="utf-8")


def report_text(report: FidelityReport) -> str:
    """Return all figures of a report, as Markdown that can be read in a terminal, too."""
    parts = [
        f"EF reader on phantoms it never saw: R2 {report.reader.r2:.3f}, MAE {report.reader.mae:.2f} EF points. "
        f"{report.pairs} pairs, {report.sampler}, {report.seconds_per_clip:.2f} s a clip with decode.",
        rows_text(report.rows),
        f"Re-ID calls the appearance donor the nearest in {100 * report.reid_nearest:.0f} % of pairs.",
        f"Codes read from the counterfactuals are {report.travel:.2f} off the donors' (0 equal, 1 standing still).",
        label_text(report.label),
        rate_text(report.heart_rate),
        phase_text(report.phase),
        frechet_text(report.frechet),
    ]
    if report.carried is not None:
        parts.append(carried_text(report.carried))
    if report.masks is not None:
        parts.append(masks_text(report.masks))
    if report.coverage is not None:
        parts.append(coverage_text(report.coverage))
    if report.curve is not None:
        parts.append(curve_text(report.curve))
    if report.spread is not None:
        parts.append(spread_text(report.spread))
    if report.strength is not None:
        parts.append(strength_text(report.strength))
    return "\n\n".join(parts)


def rows_text(rows: Mapping[str, RowFigures]) -> str:
    """Return EF adherence, swap test and counterfactual error of every row."""
    lines = []
    for row, title in ROWS.items():
        f, alike = rows[row].adherence, rows[row].likeness
        figures = [f"{value:.2f}" for value in (f.r2, f.mae, f.r, f.motion_weight, f.appearance_weight)]
        figures += ["", ""] if alike is None else [f"{alike.psnr:.2f}", f"{alike.ssim:.3f}"]
        lines.append([f"{title:<59}", *figures])
    return markdown_table(["clips (phantoms)", "R2", "MAE", "r", "motion", "appearance", "PSNR", "SSIM"], lines)


def label_text(label: LabelFigures) -> str:
    """Return the errors by quarters of EF and of the ratio of LV sizes."""
    slopes = ", ".join(f"{row} {trend.slope:+.2f} (r {trend.r:+.2f})" for row, trend in label.by_size.items())
    parts = [
        f"## Label\nThe donor's EF against the counterfactual's own: MAE {label.transport.mae:.2f}, "
        f"bias {label.transport.bias:+.2f}.",
        _quarters("quarter of the donor's EF", label.by_ef, ".0f"),
        _quarters(
            "quarter of LV size, motion / appearance",
            {row: trend.quarters for row, trend in label.by_size.items()},
            ".2f",
        ),
        f"EF points a doubling of that ratio: {slopes}.",
    ]
    return "\n\n".join(parts)


def _quarters(what: str, rows: Mapping[str, Sequence[Quarter]], digits: str) -> str:
    lines = []
    for parts in zip(*rows.values(), strict=True):
        span = f"{parts[0].low:{digits}} to {parts[0].high:{digits}}"
        lines.append([span, *(f"{part.mae:.1f} ({part.bias:+.1f})" for part in parts)])
    return markdown_table([what, *(f"{row}: MAE (bias)" for row in rows)], lines)


def rate_text(rates: Mapping[str, RateError]) -> str:
    """Return the heart-rate errors."""
    cells = [
        f"{row} MAE {f.mae:.1f} a minute, bias {f.bias:+.1f}, {100 * f.within_10:.0f} % within 10 %"
        for row, f in rates.items()
    ]
    return "## Heart rate against the motion donor's\n" + "; ".join(cells) + "."


def phase_text(phase: Mapping[str, PhaseErrors]) -> str:
    """Return the errors of the ED and ES frames found without labels."""
    lines = ["## ED and ES frames found without labels, in frames at 50 fps"]
    for what, found in phase.items():
        lines.append(f"- {what} ({found.n} videos): {_phase('ED', found.ed)}; {_phase('ES', found.es)}")
    return "\n".join(lines)


def _phase(name: str, found: PhaseError) -> str:
    return (
        f"{name} median {found.median:.1f} (quartiles {found.quartiles[0]:.1f} to {found.quartiles[1]:.1f}), "
        f"90 % {found.p90:.1f}, {100 * found.within_3:.0f} % within 3"
    )


def frechet_text(found: FrechetDistances) -> str:
    """Return the Fréchet distances, the floor first."""
    cells = [f"{row} {value:.2f}" for row, value in found.distances.items()]
    return f"## Fréchet distance to real clips (features: {found.extractor})\n" + ", ".join(cells) + "."


def carried_text(carried: Carried) -> str:
    """Return how well masks ride on a clip's displacement."""
    return (
        "## LV masks carried from the appearance donor's ED frame, Dice with the counterfactual's own\n"
        f"ED {carried.ed}; ES {carried.es}, {carried.still} if they stood still."
    )


def masks_text(masks: Mapping[str, Overlap]) -> str:
    """Return the overlap of a segmenter's masks with the counterfactuals' true ones."""
    cells = [f"{row} {f.dice:.3f} (ED {f.dice_ed:.3f}, ES {f.dice_es:.3f})" for row, f in masks.items()]
    return "## LV masks, Dice with the counterfactual's own\n" + "; ".join(cells) + "."


def coverage_text(found: Coverage) -> str:
    """Return coverage and privacy."""
    return (
        f"## Coverage and privacy, {found.hearts} TRAIN videos, by re-ID\n"
        f"- clips with their appearance that are nearest to their own video: {100 * found.reached:.0f} %\n"
        f"- too close to it (more alike than 95 % of halves of one video): {100 * found.too_close:.0f} %\n"
        f"- videos too close to some clip of which they are no donor: {100 * found.remembered:.0f} %\n"
        f"- inside the manifold of generated clips: {100 * found.recall_generated:.0f} %; "
        f"of as many real held-out ones: {100 * found.recall_real:.0f} %"
    )


def curve_text(curve: Sequence[CurvePoint]) -> str:
    """Return the curve over steps, with the fewest that are enough."""
    rows = [
        [
            str(point.steps),
            f"{point.adherence.r2:.3f}",
            f"{point.adherence.mae:.2f}",
            f"{point.likeness.psnr:.2f}",
            f"{point.likeness.ssim:.3f}",
            f"{point.frechet:.3f}",
            f"{point.seconds:.3f}",
        ]
        for point in curve
    ]
    table = markdown_table(["steps", "R2", "MAE", "PSNR", "SSIM", "Fréchet distance", "s a clip"], rows)
    return f"## Steps\n{table}\n\nFewest steps within {ENOUGH} R2 of the best: **{fewest_steps(curve)}**."


def spread_text(found: SeedSpread) -> str:
    """Return how far clips differ by their seed."""
    return (
        f"## Chance\n{found.pairs} pairs with {found.seeds} seeds each, without the reference's detail: a pixel's "
        f"standard deviation over the seeds is {found.texture:.2f} grey levels (a sample is {found.missing:.2f} "
        f"off the codec's counterfactual), that of the EF read {found.ef:.2f} EF points."
    )


def strength_text(strengths: Sequence[Strength]) -> str:
    """Return the fidelity with weaker and stronger motion."""
    header = ["", "steps", "mean EF", "R2", "MAE", "slope", "intercept", "calibrated R2", "MAE"]
    rows = []
    for f in strengths:
        label = f.calibration
        figures = [f"{f.mean:.1f}", f"{f.adherence.r2:.2f}", f"{f.adherence.mae:.2f}", f"{label.slope:.2f}"]
        figures += [f"{label.intercept:.1f}", f"{label.label_r2:.2f}", f"{label.label_mae:.2f}"]
        rows.append([f"{f.what} {f.factor:g}", str(f.steps), *figures])
    return (
        "## Weaker and stronger motion\n"
        "R2 and MAE against the donor's EF; calibrated: of a label slope x EF + intercept, fitted on half of the "
        f"clips, on the others.\n\n{markdown_table(header, rows)}"
    )
