"""Table ``generator``: seconds a clip by sampling steps, against the reference's sampler, and what takes them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from echo_augment.augmentor.data import EchoNetDynamic, VideoInfo
from echo_augment.augmentor.devices import fast_dtype
from echo_augment.augmentor.mcdm.codec import decode, encode
from echo_augment.augmentor.mcdm.donors import read_heart
from echo_augment.augmentor.mcdm.motion import stretch
from echo_augment.augmentor.mcdm.phase import Heart
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.residual import ResidualDenoiser

from .host import host_rows
from .material import SAMPLE, Material
from .rows import Row, Table, against, missing, number
from .settings import SpeedSettings
from .timing import Contender, Seconds, Spread, interleave, ratio
from .variants import make_variants, variant_rows

T = TypeVar("T")
STEPS = (1, 2, 4, 8)
REFERENCE_STEPS = 128  # of DDPM, arXiv 2512.09418
TIMES = {"cpu": 20.0, "cuda": 49.0}
CLIPS_A_SECOND, LONG_ENOUGH = 2.0, 1.28
PEAK_SHARE = 40.0  # percent, on a GPU
HOW = (
    "Generator {name} on {where}, clips of {seconds:.2f} s, batches of {batch}, end to end: reference frame encoded, "
    "sampled, decoded, frames on the host. Peer: the same weights and clips in as many steps as the reference takes, "
    "{sampler}."
)


@dataclass(frozen=True)
class Inputs:
    """What the pipeline is called with: ED frames ``(B, H, W)`` uint8, motion codes ``(B, F, D)``."""

    references: Tensor
    motions: Tensor


def load(name: str, device: torch.device) -> MCDMPipeline:
    """Load a generator onto its device, without its progress bar."""
    pipeline = MCDMPipeline.load(name).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def read_donor(pipeline: MCDMPipeline, row: VideoInfo) -> Heart:
    """Return a donor's video, decoded and resampled."""
    return read_heart(row, rate=float(pipeline.config["rate"]), size=int(pipeline.config["size"]))[0]


def motion_of(pipeline: MCDMPipeline, donor: Heart) -> Tensor:
    """Return a donor's motion codes, of the first frames of its grid."""
    codes = pipeline.encode_motion(donor)
    return codes if pipeline.config["code"] == "vector" else stretch(codes, int(pipeline.config["frames"]), start=0.0)


def long_enough(pipeline: MCDMPipeline, row: VideoInfo) -> bool:
    """Return whether a video is long enough for a clip."""
    return row.n_frames / row.fps >= (int(pipeline.config["frames"]) + 1) / float(pipeline.config["rate"])


def generator_table(material: Material, settings: SpeedSettings, device: torch.device) -> Table:
    """Time the sampler at several steps, the reference's, the decoder, and the reading of a donor.

    Args:
        material: the videos in all forms.
        settings: of the job. The targets are for its steps (by default the generator's own number, as ``fill-cache``
            takes it); variants are compared with one step at least, so that the denoiser has a part in it.
        device: to generate on.
    """
    pipeline, batch = load(settings.generator, device), settings.batch
    steps = int(pipeline.config["steps"]) if settings.steps is None else settings.steps
    table = EchoNetDynamic(material.root, "train", "EF", **SAMPLE).rows
    donors = [row for row in table if row.name in material.names and long_enough(pipeline, row)]
    shown = [read_donor(pipeline, donors[place % len(donors)]) for place in range(batch)]
    inputs = Inputs(
        torch.from_numpy(np.stack([donor.reference for donor in shown])),
        torch.stack([motion_of(pipeline, donor) for donor in shown]),
    )
    latents = encode(pipeline.vae, inputs.references).repeat_interleave(int(pipeline.config["frames"]), 0)

    def sample(sampler: str, count: int) -> Contender:
        return lambda turn: call(pipeline, inputs, sampler, count, turn)

    seen = max(1, steps)

    def varied(other: MCDMPipeline, turn: int) -> Tensor:
        return call(other, inputs, "ddim", seen, turn)

    peer = reference_sampler(pipeline)
    sample(peer, 1)(0)
    others = {}
    if settings.variants:
        plain = varied(pipeline, 0)
        others = make_variants(settings.variants, lambda: load(settings.generator, device), varied, plain)
    contenders = {ddim(count): sample("ddim", count) for count in sorted({*STEPS, steps})}
    contenders["decode"] = lambda turn: fast(device, lambda: decode(pipeline.vae, latents).cpu())
    contenders["donor"] = lambda turn: motion_of(pipeline, read_donor(pipeline, donors[turn % len(donors)]))
    contenders |= {name: other.contender for name, other in others.items() if other.contender is not None}
    if settings.reference:
        contenders["reference"] = sample(peer, REFERENCE_STEPS)
    times = interleave(contenders, settings.rounds, what="generator", warmup=0 if settings.reference else 1)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"
    sampler = f"{peer.upper()} with {REFERENCE_STEPS} steps"
    work = flops(contenders[ddim(steps)]) / batch
    rows = [
        *sampling_rows(times, batch, steps, device),
        reference_row(times, steps, peer, device),
        *variant_rows(others, times, times[ddim(seen)], seen),
        *work_rows(times[ddim(steps)] / batch, work, device),
        *host_rows(pipeline, donors, material.work, steps=steps, batch=batch, rounds=settings.rounds, work=work),
    ]
    how = HOW.format(name=settings.generator, where=where, batch=batch, sampler=sampler, seconds=clip_seconds(pipeline))
    return Table(name="generator", title="generating clips", how=how, rows=rows)


def ddim(count: int) -> str:
    """Return the name of the contender of so many steps."""
    return f"ddim-{count}"


def clip_seconds(pipeline: MCDMPipeline) -> float:
    """Return how long a clip lasts, each frame standing for its share of a second."""
    return int(pipeline.config["frames"]) / float(pipeline.config["rate"])


def fast(device: torch.device, work: Callable[[], T]) -> T:
    """Return what ``work`` returns, computed as `ClipGenerator` does: in the number format that the device likes."""
    dtype = fast_dtype(device)
    with torch.no_grad(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        return work()


def call(pipeline: MCDMPipeline, inputs: Inputs, sampler: str, count: int, seed: int) -> Tensor:
    """Return the clips of a batch ``(B, F, H, W)`` uint8, on the host."""
    noise = [torch.Generator().manual_seed(1000 * seed + place) for place in range(len(inputs.references))]

    def work() -> Tensor:
        made = pipeline(inputs.references, inputs.motions, num_inference_steps=count, sampler=sampler, generator=noise)
        clips: Tensor = made[0]
        return clips

    return fast(pipeline.device, work)


def sampling_rows(times: Mapping[str, Seconds], batch: int, steps: int, device: torch.device) -> list[Row]:
    """Return seconds a clip by steps, clips a second, and the shares of decoding and of reading a donor."""
    chosen = times[ddim(steps)]
    rows = [
        Row(what=f"a clip in {name.removeprefix('ddim-')} DDIM steps", found=Spread.of(seconds / batch), unit="s")
        for name, seconds in times.items()
        if name.startswith("ddim-")
    ]
    target = CLIPS_A_SECOND if device.type == "cpu" else None
    rows.append(
        Row(what=f"clips a second in {steps} steps", found=Spread.of(batch / chosen), unit="clips/s", target=target)
    )
    share = Spread.of(100 * times["decode"] / chosen)
    rows.append(Row(what=f"decoding's share of these {steps} steps", found=share, unit="%"))
    return [
        *rows,
        Row(
            what="reading a donor (video, ED frame, motion codes), once a fill, over generating a clip",
            found=ratio(times["donor"], chosen / batch),
            detail=against(times["donor"], chosen / batch),
        ),
    ]


def reference_sampler(pipeline: MCDMPipeline) -> str:
    """Return the reference's sampler, ``ddpm``; where the denoiser samples a residual, which it cannot, ``ddim``."""
    return "ddim" if isinstance(pipeline.denoiser, ResidualDenoiser) else "ddpm"


def reference_row(times: Mapping[str, Seconds], steps: int, peer: str, device: torch.device) -> Row:
    """Return how many times faster this sampler is than one of as many steps as the reference takes."""
    what = f"{steps} DDIM steps, times faster than {REFERENCE_STEPS} {peer.upper()} steps, as many as the reference's"
    target = TIMES.get(device.type, TIMES["cpu"])
    if "reference" not in times:
        return missing(what, "takes minutes; reference=true measures it, unless quick=true", target=target)
    chosen = times[ddim(steps)]
    found = ratio(times["reference"], chosen)
    return Row(what=what, found=found, target=target, detail=f"{against(times['reference'], chosen)} a batch")


def work_rows(seconds: Seconds, work: float, device: torch.device) -> list[Row]:
    """Return floating-point operations a clip, and how much of the device's measured matrix peak they reach."""
    peak, dtype = matrix_peak(device)
    target = PEAK_SHARE if device.type == "cuda" else None
    return [
        Row(what="floating-point operations a clip", found=Spread.exact(work / 1e9), unit="GFLOP"),
        Row(
            what="share of the measured matrix peak",
            found=Spread.of(100 * work / seconds / peak),
            unit="%",
            target=target,
            detail=f"{number(work / float(np.median(seconds)) / 1e9)} of {number(peak / 1e9)} GFLOP/s in {dtype}",
        ),
    ]


def flops(contender: Contender) -> float:
    """Return the operations of one call: multiplications and additions of matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        contender(0)
    return float(counter.get_total_flops())


def matrix_peak(device: torch.device, repeats: int = 8) -> tuple[float, str]:
    """Return operations a second of the fastest of some large matrix products, and the device's fast number format."""
    size = 8192 if device.type == "cuda" else 1536
    dtype = fast_dtype(device)
    one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(repeats + 1):
        began = time.perf_counter()
        product = one @ other
        product[0, 0].item()  # waits for the device
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best, str(dtype).removeprefix("torch.")
