"""Stage ``pseudo``: optical flow from the ED frame and re-ID embeddings, kept in HDF5 for MAFE to learn from."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import numpy.typing as npt
import torch

from echo_augment.augmentor.mcdm.flow import shrink_flow
from echo_augment.augmentor.mcdm.motion import estimated_flows
from echo_augment.augmentor.mcdm.phase import Heart
from echo_augment.augmentor.mcdm.reid import ReIDEncoder
from echo_augment.cache.system.files import atomic_path
from echo_augment.cache.system.progress import follow

from .prepare import Prepared

if TYPE_CHECKING:
    from .context import StageContext


class PseudoLabels:
    """Reads ``pseudo.h5`` whole into memory as half precision (about 80 kB a two-second clip).

    Attributes:
        flows: each training video's on its grid, ``(G, 2, h, w)`` float16 (`video_flow`).
    """

    def __init__(self, path: Path) -> None:
        with h5py.File(path, "r") as file:
            count = len(file["flow"])
            self.flows = [file["flow"][str(i)][:] for i in range(count)]
            self._embedding = [file["embedding"][str(i)][:] for i in range(count)]

    def flow(self, video: int, at: int) -> npt.NDArray[np.float32]:
        """Return the flow from the ED frame to grid frame ``at`` in pixels of the full frame, ``(2, h, w)``."""
        return self.flows[video][at].astype(np.float32)

    def embedding(self, video: int) -> npt.NDArray[np.float32]:
        """Return the re-ID embeddings of all frames of a video, ``(T, D)``."""
        return self._embedding[video].astype(np.float32)


def video_flow(heart: Heart) -> npt.NDArray[np.float16]:
    """Return the flow from the ED frame to every frame on the grid, ``(G, 2, h, w)``, in pixels of the full frame."""
    return shrink_flow(estimated_flows(heart)).astype(np.float16)


def write_pseudo(data: Prepared, reid: ReIDEncoder, path: Path, *, batch: int = 256) -> None:
    """Write the pseudo labels of all training videos, atomically."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file, ThreadPoolExecutor() as pool:
        file.attrs["teacher"] = "opencv-dis-medium"
        flows = pool.map(video_flow, data.training)
        for index, (heart, flow) in enumerate(
            zip(data.training, follow(flows, "pseudo labels", unit="video", total=len(data.training)), strict=True)
        ):
            file.create_dataset(f"flow/{index}", data=flow)
            frames = torch.from_numpy(np.array(heart.frames))[:, None]
            with torch.no_grad():
                parts = [reid(part.to(reid.device).float() / 255) for part in frames.split(batch)]
            file.create_dataset(f"embedding/{index}", data=torch.cat(parts).cpu().numpy().astype(np.float16))


def make(context: "StageContext") -> dict[str, float]:
    """Write the pseudo labels."""
    if context.accelerator.is_main_process:
        write_pseudo(context.data, context.networks.reid, context.out / "pseudo.h5")
    return {"hearts": len(context.data.training)}
