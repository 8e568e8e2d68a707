"""Other ways to run the same generator, so that a machine can say whether they help: layout, compiler, CUDA graphs."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from omegaconf import ListConfig
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache import EchoAugmentError

from .rows import Row, missing, seconds_text
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
    """``torch.compile`` what samples and decodes, in place; the first call then takes a minute or two."""
    for net in _networks(pipeline):
        # Not net.compile(): all networks then share one code object, and torch's limit of graphs for it.
        net.forward = torch.compile(net.forward, mode=mode, dynamic=False)


def graphed(pipeline: MCDMPipeline) -> None:
    """Compiled, and replayed as CUDA graphs."""
    compiled(pipeline, "reduce-overhead")


VARIANTS: Mapping[str, tuple[str, Callable[[MCDMPipeline], None]]] = {
    "channels_last": ("with the channels last in memory", channels_last),
    "compile": ("with torch.compile", compiled),
    "cuda_graphs": ("with torch.compile and CUDA graphs", graphed),
}


def _networks(pipeline: MCDMPipeline) -> Iterable[nn.Module]:
    """The networks whose ``forward`` a sample calls."""
    yield from (pipeline.vae.encoder, pipeline.vae.decoder, pipeline.denoiser.unet)
    if pipeline.transport is not None:
        yield from pipeline.transport.children()


def choose_variants(
    wanted: str | Sequence[str] | ListConfig | None, tables: Sequence[str], device: torch.device
) -> list[str]:
    """The names of the variants: none, one, or some.

    Raises:
        EchoAugmentError: there is no such variant, it needs a GPU, or the generator's table is not measured.
    """
    names = wanted.split(",") if isinstance(wanted, str) else list(wanted or [])
    for name in names:
        if name not in VARIANTS:
            raise EchoAugmentError(f"there is no variant {name!r}", f"There are: {', '.join(VARIANTS)}")
        if name == "cuda_graphs" and device.type != "cuda":
            raise EchoAugmentError("the variant cuda_graphs needs a GPU", "Leave it out of variants=")
    if names and "generator" not in tables:
        raise EchoAugmentError(
            f"variants={names} are rows of the table generator, which is not measured", "Add it to tables="
        )
    return names


@dataclass(frozen=True)
class Variant:
    """A generator changed in one way.

    Attributes:
        words: what was done to it.
        contender: makes a batch of clips; None where it cannot.
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
        names: of ``VARIANTS``.
        load: gives a copy, on its device.
        sample: a batch of clips of a copy, ``(B, F, H, W)`` uint8; the noise is a function of the number.
        plain: that of the unchanged generator, for 0.
    """
    made = {}
    for name in names:
        words, change = VARIANTS[name]
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
    """How many times faster each variant is than the generator as it is."""
    rows = []
    for name, variant in variants.items():
        what = f"{steps} DDIM steps {variant.words}, times faster than without"
        if variant.contender is None:
            rows.append(missing(what, variant.trouble))
            continue
        texts = [seconds_text(float(np.median(part))) for part in (plain, times[name])]
        detail = (
            f"{texts[0]} against {texts[1]} a batch; the first call took {seconds_text(variant.first)}; "
            f"clips differ by {variant.apart:.2g} gray levels on average"
        )
        rows.append(Row(what=what, found=ratio(plain, times[name]), detail=detail))
    return rows
