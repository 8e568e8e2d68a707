"""Stage ``couplings``: noise, and the clips to which the denoiser takes it, for a reflow student."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...common.parts import SOLO, Crew, write_rows
from ...common.ranks import ALONE, Share
from ..denoiser import Windows, diffusion_of, stacked
from ..diffusion import Diffusion, path_end

if TYPE_CHECKING:
    from ..context import StageContext

STREAM = 6  # of random numbers


class Couplings:
    """Pairs of noise and the source generator's latents from it, each with its window's reference frame and motion.

    Retraining a diffusion model on its own pairs makes its paths nearly free of crossings, so that few steps follow
    them: reflow (Liu et al., arXiv 2209.03003), here in the form of arXiv 2410.07303, which keeps the model's schedule
    and v-prediction. Window and noise of a pair are a pure function of its number and the seed; the ends are kept.

    Args:
        windows: where references and motions come from.
        path: file of the ends, ``(N, F, C, h, w)`` float16, in units of the denoiser.
        seed: the run's.
    """

    def __init__(self, windows: Windows, path: Path, seed: int) -> None:
        self.windows, self.path, self.seed = windows, path, seed

    def given(self, number: int) -> dict[str, Tensor]:
        """Return the training window of a pair, with its noise ``(F, C, h, w)``."""
        window = self.windows.draw(np.random.default_rng([self.seed, STREAM, number]), 1)
        one = {key: value[0] for key, value in window.items()}
        noise = np.random.default_rng([self.seed, STREAM, number, 1]).standard_normal(one["latents"].shape, np.float32)
        return one | {"noise": torch.from_numpy(noise)}

    def write(
        self,
        source: nn.Module,
        diffusion: Diffusion,
        *,
        clips: int,
        steps: int,
        batch: int,
        autocast: Callable[[], AbstractContextManager[None]],
        crew: Crew = SOLO,
    ) -> None:
        """Make the ends, in parts that are kept until all are there: a killed run goes on with the next one.

        Args:
            source: denoiser of the source generator.
            diffusion: that which it was trained by.
            clips: pairs in all.
            steps: of its path.
            batch: pairs in a part.
            autocast: context of its precision.
            crew: the processes that share the work.

        Raises:
            EchoAugmentError: a part is lacking or damaged: every later end would belong to another noise.
        """
        device = next(source.parameters()).device

        def ends(numbers: range) -> list[npt.NDArray[np.float16]]:
            drawn = stacked([self.given(number) for number in numbers])
            given = {key: value.to(device) for key, value in drawn.items()}
            with torch.no_grad(), autocast():
                found = path_end(diffusion, source, given["noise"], diffusion.given(given), steps)
            return [found.half().cpu().numpy()]

        write_rows(self.path, [1] * clips, ends, what="couplings", crew=crew, size=batch)

    def draw(self, rng: np.random.Generator, count: int, share: Share = ALONE) -> dict[str, Tensor]:
        """Draw ``count`` random pairs, or a process's share: windows, noise, and as ``clean`` what became of it."""
        ends = np.load(self.path, mmap_mode="r", allow_pickle=False)
        numbers = share.of([int(number) for number in rng.integers(0, len(ends), count)])
        batch = stacked([self.given(number) for number in numbers])
        return batch | {"clean": torch.from_numpy(ends[numbers].astype(np.float32))}


def couplings_of(context: "StageContext") -> Couplings:
    """Return the couplings of a run, made already or not."""
    return Couplings(context.windows, context.out / "couplings.npy", context.settings.seed)


def make(context: "StageContext") -> dict[str, float]:
    """Make the couplings, each process its share."""
    settings = context.preset.couplings
    couplings_of(context).write(
        context.networks.denoiser,
        diffusion_of(context),
        clips=settings.clips,
        steps=settings.steps,
        batch=settings.batch,
        autocast=context.accelerator.autocast,
        crew=context.crew,
    )
    return {"clips": settings.clips}
