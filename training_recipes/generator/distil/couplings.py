"""Stage ``couplings``: noise, and the clips to which the denoiser takes it, for a reflow student."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path
from echo_augment.cache.system.progress import follow

from ...common.ranks import ALONE, Share
from ..denoiser import Windows, diffusion_of, stacked
from ..diffusion import Diffusion, path_end

if TYPE_CHECKING:
    from ..context import StageContext

STREAM = 6  # of random numbers
PARTS = "couplings.parts"  # beside the array, until it is whole
AGAIN = "Start the run again, without that file: it makes what is lacking. All processes must see one out="


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
        share: tuple[int, int] = (0, 1),
        autocast: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Make this process's share of the ends, in parts that are kept: a killed run goes on with the next one.

        Args:
            source: denoiser of the source generator.
            diffusion: that which it was trained by.
            clips: pairs in all.
            steps: of its path.
            batch: pairs in a part.
            share: this process's number, and how many there are.
            autocast: context of its precision.
        """
        if self.path.exists():  # killed between joining and being told so
            return
        numbers = range(share[0] * batch, clips, share[1] * batch)
        for first in follow(numbers, "couplings", unit="part", show=share[0] == 0):
            part = self._part(first)
            if part.exists():
                continue
            drawn = stacked([self.given(number) for number in range(first, min(first + batch, clips))])
            device = next(source.parameters()).device
            batch_of = {key: value.to(device) for key, value in drawn.items()}
            with torch.no_grad(), autocast():
                ends = path_end(diffusion, source, batch_of["noise"], diffusion.given(batch_of), steps)
            with atomic_path(part) as temporary, temporary.open("wb") as file:
                np.save(file, ends.half().cpu().numpy(), allow_pickle=False)

    def _part(self, first: int) -> Path:
        return self.path.with_name(PARTS) / f"{first:08d}.npy"

    def join(self, clips: int, batch: int) -> None:
        """Join all parts to one array, and delete them; ``clips`` and ``batch`` as they were written with.

        Raises:
            EchoAugmentError: a part is missing or damaged: every later end would belong to another noise.
        """
        if not self.path.exists():
            shape = (clips, *self._ends(0, clips, batch).shape[1:])
            with atomic_path(self.path) as temporary:
                target = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
                for first in range(0, clips, batch):
                    target[first : first + batch] = self._ends(first, clips, batch)
                target.flush()
        shutil.rmtree(self.path.with_name(PARTS), ignore_errors=True)

    def _ends(self, first: int, clips: int, batch: int) -> npt.NDArray[np.float16]:
        part, wanted = self._part(first), min(batch, clips - first)
        try:
            ends: npt.NDArray[np.float16] = np.load(part, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise EchoAugmentError(f"{part}: cannot be read ({error})", AGAIN) from None
        if len(ends) != wanted:
            raise EchoAugmentError(f"{part}: holds {len(ends)} ends, not {wanted}", AGAIN)
        return ends

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
    settings, couplings, accelerator = context.preset.couplings, couplings_of(context), context.accelerator
    couplings.write(
        context.networks.denoiser,
        diffusion_of(context),
        clips=settings.clips,
        steps=settings.steps,
        batch=settings.batch,
        share=(accelerator.process_index, accelerator.num_processes),
        autocast=accelerator.autocast,
    )
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        couplings.join(settings.clips, settings.batch)
    return {"clips": settings.clips}
