"""Pairs of held-out phantoms, motion of one x appearance of the other, and what a generator should make of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from echo_augment.augmentor.data.phantom import Phantom, render, sample_phantom, volume_curve
from echo_augment.augmentor.data.phantom.geometry import lv_volumes
from echo_augment.augmentor.mcdm.codec import decode, encode
from echo_augment.augmentor.mcdm.masks import Masks
from echo_augment.augmentor.mcdm.motion import stretch
from echo_augment.augmentor.mcdm.phase import Heart, make_heart, resample_indices
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.progress import follow
from echo_augment.training_recipes.judging.excerpts import cycle_error, read_back
from echo_augment.training_recipes.judging.reader_net import FORMAT, whole_beat_ef

from .beats import phantom_phase_error

Clips = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
SEEDS = 800_000_000  # phantoms of this job alone: no dataset may have them (phantom.writing.RESERVED)
SEEDS_PER_RUN, RUNS = 100_000, 1000  # beyond them are the reader's own


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """What ``N`` pairs should give.

    Attributes:
        motions: the motion donors.
        appearances: the appearance donors.
        codes: normalised motion codes, one ``(F, D)`` tensor a pair.
        told: the codes that are read from the exact counterfactuals instead, relative to the same ED frames.
        rests: code of each motion donor's ED frame, ``(D,)`` each; of a vector, itself.
        references: ED frames of the appearance donors, ``(N, H, W)`` uint8.
        starts: seconds into the donor's motion at which each clip begins, ``(N,)``.
        ef_motion: EF of the motion donors, in percent, ``(N,)``.
        ef_appearance: EF of the appearance donors.
        ef_pair: EF of the exact counterfactuals.
        size_ratio: ED volume of the motion donor over that of the appearance donor.
        masks: the counterfactuals' LV masks, ``(N, T, H, W)`` bool.
        tracings: the appearance donors' LV masks in their reference frames, ``(N, H, W)`` bool.
        phase_errors: how far off the ED and ES frame found in each of the 2 N phantoms are, in frames at 50 fps.
        clips: by row, ``(N, T, H, W)`` uint8: ``counterfactual``, ``codec``, ``still``, ``own`` and ``donor``.
    """

    motions: list[Phantom]
    appearances: list[Phantom]
    codes: list[Tensor]
    told: list[Tensor]
    rests: list[Tensor]
    references: Clips
    starts: Values
    ef_motion: Values
    ef_appearance: Values
    ef_pair: Values
    size_ratio: Values
    masks: npt.NDArray[np.bool_]
    tracings: npt.NDArray[np.bool_]
    phase_errors: list[tuple[float, float]]
    clips: dict[str, Clips]

    @property
    def travel(self) -> float:
        """How far ``told`` is from ``codes``: the mean of `cycle_error`, where a vector stands still at zero."""
        rests = [rest if len(code) > 1 else 0 * rest for code, rest in zip(self.codes, self.rests, strict=True)]
        return float(np.mean([cycle_error(*pair) for pair in zip(self.told, self.codes, rests, strict=True)]))

    def volume_of(self, pair: int) -> Callable[[Values], Values]:
        """Return the counterfactual's LV volume in mL as a function of the seconds after its first frame."""
        motion, appearance = self.motions[pair].motion, self.appearances[pair].appearance
        return lambda seconds: lv_volumes(motion, appearance, self.starts[pair] + seconds)


def heart_of(phantom: Phantom, fps: float, image_size: int) -> Heart:
    """Return a phantom's two-second recording as a generator of that frame rate and size sees it."""
    return traced_heart(phantom, fps, image_size)[0]


def traced_heart(phantom: Phantom, fps: float, image_size: int) -> tuple[Heart, Masks]:
    """Return `heart_of`, and the true LV mask ``(H, W)`` of its reference frame."""
    clip = render(phantom.motion, phantom.appearance, seed=phantom.seed, image_size=image_size)
    heart = make_heart(phantom.name, clip.frames, clip.fps, rate=fps, size=image_size)
    return heart, clip.masks[resample_indices(len(clip.frames), clip.fps, 2 * fps)[heart.ed]]


def check_pairs(count: int, seed: int) -> None:
    """Raise if pairs of that seed would share phantoms with another seed's, or with the EF reader.

    Raises:
        EchoAugmentError: naming both.
    """
    if not (0 <= seed < RUNS and 1 <= count <= SEEDS_PER_RUN // 2):
        raise EchoAugmentError(
            f"pairs={count} of seed={seed}: their phantoms would be another run's, or those that the EF reader knows",
            f"Take a seed below {RUNS} and at most {SEEDS_PER_RUN // 2} pairs",
        )


def draw_pairs(pipeline: MCDMPipeline, count: int, seed: int) -> Pairs:
    """Return ``count`` pairs of phantoms of their own, and all that is known of them without the denoiser.

    Args:
        pipeline: the generator, which encodes motion and decides frame rate, size and length.
        count: pairs.
        seed: below 1000; no two seeds share a phantom.

    Raises:
        EchoAugmentError: as `check_pairs`.
    """
    check_pairs(count, seed)
    num_frames, fps, image_size = (pipeline.config[key] for key in ("frames", "rate", "size"))
    phantoms = [sample_phantom(SEEDS + seed * SEEDS_PER_RUN + i, format=FORMAT) for i in range(2 * count)]
    motions, appearances = phantoms[:count], phantoms[count:]
    clips: dict[str, list[Clips]] = {name: [] for name in ("counterfactual", "codec", "still", "own", "donor")}
    codes, told, rests, references, starts, masks, tracings, phases = [], [], [], [], [], [], [], []
    for motion, appearance in zip(motions, follow(appearances, "pairs", unit="pair"), strict=True):
        donor, (other, tracing) = heart_of(motion, fps, image_size), traced_heart(appearance, fps, image_size)
        tracings.append(tracing)
        phases += [phantom_phase_error(motion, donor, fps), phantom_phase_error(appearance, other, fps)]
        at = max(0, (len(donor.grid) - num_frames) // 2)
        code = pipeline.encode_motion(donor)
        rests.append(code[min(donor.ed // 2, len(code) - 1)])
        codes.append(code if pipeline.config["code"] == "vector" else stretch(code, num_frames, start=float(at)))
        references.append(other.reference.copy())
        picked = donor.grid[at : at + num_frames]
        starts.append(float(picked[0] / (2 * fps)))
        truth = render(
            motion.motion,
            appearance.appearance,
            num_frames=num_frames,
            fps=fps,
            start=starts[-1],
            seed=appearance.seed,
            image_size=image_size,
        )
        told.append(read_back(pipeline, truth.frames, references[-1]))
        masks.append(truth.masks)
        clips["counterfactual"].append(truth.frames)
        clips["donor"].append(donor.frames[picked])
        clips["still"].append(np.repeat(other.reference[None], num_frames, 0))
        own = max(0, (len(other.grid) - num_frames) // 2)
        clips["own"].append(other.frames[other.grid[own : own + num_frames]])
        restored = decode(pipeline.vae, encode(pipeline.vae, torch.from_numpy(truth.frames)))
        clips["codec"].append(restored.cpu().numpy())
    curves = [
        [volume_curve(motion.motion, phantom.appearance) for phantom in (motion, appearance)]
        for motion, appearance in zip(motions, appearances, strict=True)
    ]
    own_edv = np.array([volume_curve(phantom.motion, phantom.appearance).edv for phantom in appearances])
    return Pairs(
        motions=motions,
        appearances=appearances,
        codes=codes,
        told=told,
        rests=rests,
        references=np.stack(references),
        starts=np.array(starts),
        ef_motion=np.array([whole_beat_ef(phantom) for phantom in motions]),
        ef_appearance=np.array([whole_beat_ef(phantom) for phantom in appearances]),
        ef_pair=np.array([pair[1].ef for pair in curves]),
        size_ratio=np.array([pair[0].edv for pair in curves]) / own_edv,
        masks=np.stack(masks),
        tracings=np.stack(tracings),
        phase_errors=phases,
        clips={name: np.stack(rows) for name, rows in clips.items()},
    )
