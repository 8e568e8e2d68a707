"""Motion made weaker or stronger at generation: does the EF of the clips follow, so that it can be told beforehand?"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score

from echo_augment.augmentor.mcdm.motion import amplify
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache import EchoAugmentError

from .adherence import adherence
from .pairs import Pairs, generate
from .reader_net import EFReader, read_ef

Values = npt.NDArray[np.float64]


def check_strength(
    pipeline: MCDMPipeline, pairs: int, amplitude: Any, guidance: Any
) -> tuple[list[float], list[float]]:
    """The factors and scales that are asked for, as configured: each a list, or null for none.

    Raises:
        EchoAugmentError: they are no lists of numbers, the generator has one code a clip and cannot be told amplitudes,
            or there are too few pairs to calibrate a label.
    """
    amplitude, guidance = _numbers("amplitude", amplitude), _numbers("guidance", guidance)
    if amplitude and pipeline.config["code"] == "vector":
        raise EchoAugmentError(
            f"amplitude={amplitude}: one motion vector a clip has no ED frame to be scaled about",
            "Leave amplitude out",
        )
    if (amplitude or guidance) and pairs < 8:
        raise EchoAugmentError(
            f"amplitude and guidance are calibrated on pairs, and pairs={pairs} are too few", "Take 8 or more"
        )
    return amplitude, guidance


def _numbers(key: str, values: Any) -> list[float]:
    try:
        found = [float(value) for value in ([] if values is None else list(values))]
    except (TypeError, ValueError):
        found = [math.nan]
    if not all(math.isfinite(value) for value in found):
        raise EchoAugmentError(f"{key} must be a list of numbers, got {values}", f"For instance {key}=[0.8,1.2]")
    return found


def strengths(
    pipeline: MCDMPipeline,
    reader: EFReader,
    pairs: Pairs,
    amplitude: Sequence[float],
    guidance: Sequence[float],
    sampling: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """EF adherence at each amplitude of the codes and each scale of classifier-free guidance; with the same noise.

    Args:
        pipeline: the generator.
        reader: reads EF.
        pairs: what is generated.
        amplitude: factors by which codes differ from the ED frame's (``mcdm.motion.amplify``); 1 changes nothing.
        guidance: scales of guidance on the motion; 1 is none. With one denoising step at least.
        sampling: ``steps``, ``sampler`` and ``seed``.

    Returns:
        A dict for each: ``what`` (``amplitude`` or ``guidance``), ``factor``, ``steps``, ``mean`` EF read in percent,
        and what :func:`~.swap.adherence` and :func:`calibration` give.
    """
    wanted = [("amplitude", float(factor)) for factor in amplitude] + [("guidance", float(scale)) for scale in guidance]
    rows = []
    for what, factor in wanted:
        codes, how = pairs.codes, dict(sampling)
        if what == "amplitude":
            codes = [amplify(code, rest, factor) for code, rest in zip(codes, pairs.rests, strict=True)]
        else:
            how |= {"steps": max(1, int(sampling["steps"])), "guidance": factor}
        made, _, _ = generate(pipeline, pairs.references, codes, **how)
        read = read_ef(reader, torch.from_numpy(made))
        found = adherence(read, pairs.ef_motion, pairs.ef_look) | calibration(read, pairs.ef_motion)
        rows.append({"what": what, "factor": factor, "steps": how["steps"], "mean": float(read.mean()), **found})
    return rows


def calibration(read: Values, ef: Values) -> dict[str, float]:
    """How well a label ``intercept + slope * EF`` of the donors, fitted on every other clip, tells the others' EF.

    Args:
        read: EF read from clips, in percent, ``(N,)``.
        ef: their motion donors'.

    Returns:
        ``slope``, ``intercept``, and on the other clips ``label_r2`` and ``label_mae`` (EF points).
    """
    line = LinearRegression().fit(ef[::2, None], read[::2])
    label = line.predict(ef[1::2, None])
    return {
        "slope": float(line.coef_[0]),
        "intercept": float(line.intercept_),
        "label_r2": float(r2_score(read[1::2], label)),
        "label_mae": float(mean_absolute_error(read[1::2], label)),
    }


def strength_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "## Weaker and stronger motion",
        "R2 and MAE against the donor's EF; calibrated: of a label slope x EF + intercept, fitted on half of the "
        "clips, on the others.",
        "",
        "| | steps | mean EF | R2 | MAE | slope | intercept | calibrated R2 | MAE |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for f in rows:
        name = f"{f['what']} {f['factor']:g} | {f['steps']} | {f['mean']:.1f} | {f['r2']:.2f} | {f['mae']:.2f}"
        label = f"{f['slope']:.2f} | {f['intercept']:.1f} | {f['label_r2']:.2f} | {f['label_mae']:.2f}"
        lines.append(f"| {name} | {label} |")
    return "\n".join(lines)
