"""How many denoising steps are enough?"""

from collections.abc import Sequence
from typing import Any

ENOUGH = 0.01  # of R2


def fewest_steps(curve: Sequence[dict[str, Any]], within: float = ENOUGH) -> int:
    """The fewest steps whose EF adherence is within ``within`` R2 of the best.

    Args:
        curve: a dict for each number of steps, with ``steps`` and ``r2``; at least one.
        within: of R2.
    """
    best = max(row["r2"] for row in curve)
    return int(min(row["steps"] for row in curve if row["r2"] >= best - within))


def curve_text(curve: Sequence[dict[str, Any]]) -> str:
    """The curve as a Markdown table, with the fewest steps that are enough."""
    lines = ["| steps | R2 | MAE | PSNR | SSIM | s a clip |", "|---|---|---|---|---|---|"]
    for row in curve:
        figures = f"{row['r2']:.3f} | {row['mae']:.2f} | {row['psnr']:.2f} | {row['ssim']:.3f} | {row['seconds']:.3f}"
        lines.append(f"| {row['steps']} | {figures} |")
    enough = f"Fewest steps within {ENOUGH} R2 of the best: **{fewest_steps(curve)}**."
    return "\n".join([*lines, "", enough])
