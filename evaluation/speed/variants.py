"""Other ways to run the same generator, so that a machine can say whether they help: layout, compiler, CUDA graphs."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.residual import ResidualDenoiser
from echo_augment.cache.system.progress import duration

from .rows import Row, against, missing
from .timing import Contender, Seconds, ratio

Sample = Callable[[MCDMPipeline, int], Tensor]


def channels_last(pipeline: MCDMPipeline) -> None:
    """Lay the convolutions' weights out with the channels last; activations follow."""
    for net in _networks(pipeline):
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d):
                layer.to(memory_format=torch.channels_last)
            elif isinstance(layer, nn.Conv3d):
                layer.to(memory_format=torch.channels_last_3d)


def compiled(pipeline: MCDMPipeline, mode: str | None = None) -> None:
    """Compile what samples and decodes, in place; the first call then takes a minute or two."""
    for net in _networks(pipeline):
        # Not net.compile(): all networks then share one code object, and torch's limit of graphs for it.
        net.forward = torch.compile(net.forward, mode=mode, dynamic=False)


def graphed(pipeline: MCDMPipeline) -> None:
    """Compile it, to be replayed as CUDA graphs."""
    compiled(pipeline, "reduce-overhead")


CHANGES: Mapping[str, tuple[str, Callable[[MCDMPipeline], None]]] = {
    "channels_last": ("with the channels last in memory", channels_last),
    "compile": ("with torch.compile", compiled),
    "cuda_graphs": ("with torch.compile and CUDA graphs", graphed),
}


def _networks(pipeline: MCDMPipeline) -> Iterable[nn.Module]:
    """Yield the networks whose ``forward`` a sample calls."""
    denoiser = pipeline.denoiser
    whole = denoiser if isinstance(denoiser, ResidualDenoiser) else denoiser.unet
    yield from (pipeline.vae.encoder, pipeline.vae.decoder, whole)
    if pipeline.transport is not None:
        yield from pipeline.transport.children()


@dataclass(frozen=True)
class Variant:
    """A generator changed in one way.

    Attributes:
        words: what was done to it.
        contender: makes a batch of clips; None if it cannot.
        first: seconds of its first call.
        apart: mean difference of its clips from those of the plain generator, in gray levels.
        trouble: why it cannot.
    """

    words: str
    contender: Contender | None
    first: float = 0.0
    apart: float = 0.0
    trouble: str = ""


def make_variants(
    names: Sequence[str], load: Callable[[], MCDMPipeline], sample: Sample, plain: Tensor
) -> dict[str, Variant]:
    """Change a fresh copy of the generator in each way, and call it until nothing is compiled any more.

    Args:
        names: see `settings.VARIANTS`.
        load: loads a fresh copy onto its device.
        sample: makes a copy's batch of clips, ``(B, F, H, W)`` uint8; the noise is a function of the number.
        plain: the unchanged generator's clips, for 0.
    """
    made = {}
    for name in names:
        words, change = CHANGES[name]
        pipeline = load()
        began = time.perf_counter()
        try:
            change(pipeline)
            clips = sample(pipeline, 0)
            first = time.perf_counter() - began
            for turn in (1, 2):  # CUDA graphs are recorded by a later call than the one that compiles
                sample(pipeline, turn)
        except Exception as error:  # a compiler can fail in any way; the run's other figures shall not be lost
            text = " ".join(str(error).split())[:200]
            made[name] = Variant(words, None, trouble=f"{type(error).__name__}: {text}")
            continue
        apart = float((clips.float() - plain.float()).abs().mean())
        made[name] = Variant(words, lambda turn, pipeline=pipeline: sample(pipeline, turn), first, apart)  # type: ignore[misc]
    return made


def variant_rows(
    variants: Mapping[str, Variant], times: Mapping[str, Seconds], plain: Seconds, steps: int
) -> list[Row]:
    """Return how many times faster each variant is than the generator as it is."""
    rows = []
    for name, variant in variants.items():
        what = f"{steps} DDIM steps {variant.words}, times faster than without"
        if variant.contender is None:
            rows.append(missing(what, variant.trouble))
            continue
        detail = (
            f"{against(plain, times[name])} a batch; the first call took {duration(variant.first)}; "
            f"clips differ by {variant.apart:.2g} gray levels on average"
        )
        rows.append(Row(what=what, found=ratio(plain, times[name]), detail=detail))
    return rows
