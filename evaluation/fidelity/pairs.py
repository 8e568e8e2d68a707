"""Pairs of held-out phantoms, motion of one x look of the other: what they should give, and what a generator gives."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from echo_augment.augmentor.data.phantom import Phantom, render, sample_phantom, volume_curve
from echo_augment.augmentor.data.phantom.geometry import lv_volumes
from echo_augment.augmentor.devices import fast_dtype
from echo_augment.augmentor.mcdm.codec import decode, encode
from echo_augment.augmentor.mcdm.flow import carry_details
from echo_augment.augmentor.mcdm.hearts import Heart, make_heart
from echo_augment.augmentor.mcdm.motion import stretch
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache import EchoAugmentError

from .beats import phantom_phase_error
from .reader_net import whole_beat_ef

Clips = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
SEEDS = 800_000_000  # phantoms of this job alone: no data set may have them (phantom.writing.RESERVED)
SEEDS_PER_RUN, RUNS = 100_000, 1000  # beyond them are the reader's own


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """What ``N`` pairs should give.

    Attributes:
        motions: the motion donors.
        looks: the appearance donors.
        codes: normalised motion codes, a ``(F, D)`` each.
        rests: that of each donor's ED frame, a ``(D,)`` each; of a vector, itself.
        references: ED frames of the appearance donors, ``(N, H, W)`` uint8.
        starts: seconds into the donor's motion at which each clip begins, ``(N,)``.
        ef_motion: EF of the motion donors, in percent, ``(N,)``.
        ef_look: of the appearance donors.
        ef_pair: of the exact counterfactuals.
        size_ratio: ED volume of the motion donor over that of the appearance donor.
        masks: the counterfactuals' LV masks, ``(N, T, H, W)`` bool.
        phase_errors: of the ED and ES frame found in each of the 2 N hearts, in frames at 50 fps.
        clips: by row ``(N, T, H, W)`` uint8: ``counterfactual``, ``codec``, ``still``, ``own`` and ``donor``.
    """

    motions: list[Phantom]
    looks: list[Phantom]
    codes: list[Tensor]
    rests: list[Tensor]
    references: Clips
    starts: Values
    ef_motion: Values
    ef_look: Values
    ef_pair: Values
    size_ratio: Values
    masks: npt.NDArray[np.bool_]
    phase_errors: list[tuple[float, float]]
    clips: dict[str, Clips]

    def volume_of(self, pair: int) -> Callable[[Values], Values]:
        """The counterfactual's LV volume in mL at some seconds after its first frame."""
        motion, look, start = self.motions[pair].motion, self.looks[pair].appearance, self.starts[pair]
        return lambda seconds: lv_volumes(motion, look, start + seconds)


def heart_of(phantom: Phantom, rate: float, size: int) -> Heart:
    """A phantom's two-second recording as the generator sees it."""
    clip = render(phantom.motion, phantom.appearance, seed=phantom.seed, size=size)
    return make_heart(phantom.name, clip.frames, clip.fps, rate=rate, size=size)


def draw_pairs(pipeline: MCDMPipeline, count: int, seed: int) -> Pairs:
    """``count`` pairs of phantoms of their own, and all that is known of them without the denoiser.

    Raises:
        EchoAugmentError: a seed or a number of pairs whose phantoms would be another run's, or the reader's own.
    """
    if not (0 <= seed < RUNS and 1 <= count <= SEEDS_PER_RUN // 2):
        raise EchoAugmentError(
            f"pairs={count} of seed={seed}: their phantoms would be another run's, or those that the EF reader knows",
            f"Take a seed below {RUNS} and at most {SEEDS_PER_RUN // 2} pairs",
        )
    frames, rate, size = (pipeline.config[key] for key in ("frames", "rate", "size"))
    phantoms = [sample_phantom(SEEDS + seed * SEEDS_PER_RUN + i) for i in range(2 * count)]
    motions, looks = phantoms[:count], phantoms[count:]
    clips: dict[str, list[Clips]] = {name: [] for name in ("counterfactual", "codec", "still", "own", "donor")}
    codes, rests, references, starts, masks, phases = [], [], [], [], [], []
    for motion, look in zip(motions, tqdm(looks, desc="pairs", unit="pair"), strict=True):
        donor, other = heart_of(motion, rate, size), heart_of(look, rate, size)
        phases += [phantom_phase_error(motion, donor, rate), phantom_phase_error(look, other, rate)]
        at = max(0, (len(donor.grid) - frames) // 2)
        code = pipeline.encode_motion(donor)
        rests.append(code[min(donor.ed // 2, len(code) - 1)])
        codes.append(code if pipeline.config["code"] == "vector" else stretch(code, frames, start=float(at)))
        references.append(other.reference.copy())
        picked = donor.grid[at : at + frames]
        starts.append(float(picked[0] / (2 * rate)))
        truth = render(
            motion.motion, look.appearance, frames=frames, fps=rate, start=starts[-1], seed=look.seed, size=size
        )
        masks.append(truth.masks)
        clips["counterfactual"].append(truth.frames)
        clips["donor"].append(donor.frames[picked])
        clips["still"].append(np.repeat(other.reference[None], frames, 0))
        own = max(0, (len(other.grid) - frames) // 2)
        clips["own"].append(other.frames[other.grid[own : own + frames]])
        restored = decode(pipeline.vae, encode(pipeline.vae, torch.from_numpy(truth.frames)))
        clips["codec"].append(restored.cpu().numpy())
    curves = [
        [volume_curve(motion.motion, heart.appearance) for heart in (motion, look)]
        for motion, look in zip(motions, looks, strict=True)
    ]
    own_edv = np.array([volume_curve(look.motion, look.appearance).edv for look in looks])
    return Pairs(
        motions=motions,
        looks=looks,
        codes=codes,
        rests=rests,
        references=np.stack(references),
        starts=np.array(starts),
        ef_motion=np.array([whole_beat_ef(phantom.seed) for phantom in motions]),
        ef_look=np.array([whole_beat_ef(phantom.seed) for phantom in looks]),
        ef_pair=np.array([pair[1].ef for pair in curves]),
        size_ratio=np.array([pair[0].edv for pair in curves]) / own_edv,
        masks=np.stack(masks),
        phase_errors=phases,
        clips={name: np.stack(rows) for name, rows in clips.items()},
    )


def generate(
    pipeline: MCDMPipeline,
    references: Clips,
    codes: list[Tensor],
    *,
    steps: int,
    sampler: str,
    seed: int,
    guidance: float = 1.0,
    batch: int = 8,
) -> tuple[Clips, Clips, float]:
    """Generated clips ``(N, T, H, W)`` as the pipeline gives them, the same without the reference's detail, and the
    seconds a clip, decode and detail included."""
    device, dtype = pipeline.device, fast_dtype(pipeline.device)
    made: list[Clips] = []
    plain: list[Clips] = []
    started = time.perf_counter()
    for first in tqdm(range(0, len(codes), batch), desc=f"{sampler}-{steps}", unit="batch"):
        part = slice(first, first + batch)
        noise = [torch.Generator().manual_seed(seed * 100_000 + i) for i in range(len(codes))[part]]
        looks = torch.from_numpy(references[part])
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            output = pipeline(
                looks,
                torch.stack(codes[part]),
                num_inference_steps=steps,
                sampler=sampler,
                guidance_scale=guidance,
                detail=False,
                generator=noise,
            )
        clips = output[0].numpy()
        plain += list(clips)
        if pipeline.config["detail"]:
            blurred = decode(pipeline.vae, encode(pipeline.vae, looks)).cpu().numpy()
            clips = carry_details(clips, references[part], blurred)
        made += list(clips)
    return np.stack(made), np.stack(plain), (time.perf_counter() - started) / len(codes)
