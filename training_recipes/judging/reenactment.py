"""Re-enactment: a generator gives videos their own motion on their own ED frame, and the result is held against them.

Nothing but the videos is needed, no label and no phantom. The rows beside the generator's tell what to expect: a still
ED frame, the ED frame warped by dense flow (motion without a code), and the codec's round trip (no motion model).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline

from ..common.likeness import psnr, ssim
from .excerpts import Excerpt, cycle_error, read_back
from .frechet import Extractor, frechet
from .measures import dense_warp, double_edges, explained_motion, latents_of, round_trip, sharpness
from .sampling import Sampling, generate

Clips = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
STILL, WARP, CODEC = "still", "warp", "codec"
PER_VIDEO = ("explained", "psnr", "ssim", "cycle", "sharpness", "double_edges")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """What clips of one kind show of the videos that they re-enact, a number a video ``(N,)``.

    Attributes:
        explained: share of the latent motion.
        psnr: in dB.
        ssim: at most 1.
        cycle: error of the motion code read back, 0 none, 1 as of a still frame.
        sharpness: fine structure as a share of the true clip's.
        double_edges: 0 walls stand once, 1 twice.
        frechet: distance to the true clips; None for fewer than two.
        steps: of the sampler; None for what no generator made.
        seconds: to make a clip; None likewise.
    """

    explained: Values
    psnr: Values
    ssim: Values
    cycle: Values
    sharpness: Values
    double_edges: Values
    frechet: float | None
    steps: int | None = None
    seconds: float | None = None

    def means(self) -> dict[str, float | None]:
        """Return the mean over the videos of each figure, and the others as they are."""
        found: dict[str, float | None] = {name: float(getattr(self, name).mean()) for name in PER_VIDEO}
        return found | {"frechet": self.frechet, "seconds": self.seconds}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reenactment:
    """Videos re-enacted.

    Attributes:
        names: of the videos.
        rows: by kind: ``still``, ``warp``, ``codec``, and ``steps-K`` of the generator.
        clips: by kind, and the videos' own as ``video``: ``(N, T, H, W)`` uint8.
    """

    names: list[str]
    rows: dict[str, Row]
    clips: dict[str, Clips]

    @property
    def by_steps(self) -> dict[int, Row]:
        """The generator's rows, by number of steps, fewest first."""
        found = {row.steps: row for row in self.rows.values() if row.steps is not None}
        return {steps: found[steps] for steps in sorted(found)}


def row_name(steps: int) -> str:
    """Return the name of the generator's row at a number of steps."""
    return f"steps-{steps}"


def reenact(
    pipeline: MCDMPipeline,
    excerpts: Sequence[Excerpt],
    steps: Sequence[int],
    extract: Extractor,
    *,
    sampler: str = "ddim",
    seed: int = 0,
) -> Reenactment:
    """Re-enact videos at each number of steps, with the same noise throughout.

    Args:
        pipeline: the generator.
        excerpts: of videos that did not train it.
        steps: numbers of steps.
        extract: gives features for the Fréchet distances.
        sampler: ``ddim``, ``dpm`` or ``ddpm``.
        seed: of the noise.
    """
    truth = np.stack([one.clip for one in excerpts])
    references = np.stack([one.reference for one in excerpts])
    clips = {
        "video": truth,
        STILL: np.repeat(references[:, None], truth.shape[1], axis=1),
        WARP: np.stack([dense_warp(one.clip, one.reference) for one in excerpts]),
        CODEC: np.stack([round_trip(pipeline.vae, one.clip) for one in excerpts]),
    }
    cost: dict[str, tuple[int, float]] = {}
    for count in sorted(set(steps)):
        how = Sampling(steps=count, sampler=sampler, seed=seed)
        made = generate(pipeline, references, [one.codes for one in excerpts], how)
        clips[row_name(count)], cost[row_name(count)] = made.clips, (count, made.seconds)
    latents = [latents_of(pipeline.vae, np.concatenate([one.clip, one.reference[None]])) for one in excerpts]
    real = extract(truth) if len(excerpts) > 1 else None
    rows = {}
    for name, stack in clips.items():
        if name != "video":
            distance = None if real is None else frechet(extract(stack), real)
            found = measure_clips(pipeline, excerpts, stack, latents)
            made_by, seconds = cost.get(name, (None, None))
            rows[name] = Row(**found, frechet=distance, steps=made_by, seconds=seconds)
    return Reenactment(names=[one.name for one in excerpts], rows=rows, clips=clips)


def measure_clips(
    pipeline: MCDMPipeline, excerpts: Sequence[Excerpt], clips: Clips, latents: Sequence[Values]
) -> Mapping[str, Values]:
    """Return the figures of `PER_VIDEO`, ``(N,)`` each, of clips ``(N, T, H, W)`` that re-enact excerpts.

    Args:
        pipeline: gives codec and motion codes.
        excerpts: what the clips should show.
        clips: one for each.
        latents: of each excerpt's frames and, last, of its reference frame: ``(T + 1, C, h, w)``.
    """
    found: dict[str, list[float]] = {name: [] for name in PER_VIDEO}
    for clip, one, codes in zip(clips, excerpts, latents, strict=True):
        found["explained"].append(explained_motion(latents_of(pipeline.vae, clip), codes[:-1], codes[-1]))
        found["psnr"].append(psnr(clip, one.clip))
        found["ssim"].append(ssim(clip, one.clip))
        found["cycle"].append(cycle_error(read_back(pipeline, clip, one.reference), one.codes, one.rest))
        found["sharpness"].append(sharpness(clip, one.clip))
        found["double_edges"].append(double_edges(clip, one.clip, one.reference))
    return {name: np.array(values) for name, values in found.items()}
