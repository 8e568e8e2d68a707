"""Stage ``pseudo``: optical flow from the ED frame and re-ID embeddings, kept in HDF5 for MAFE to learn from."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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

from ..common.parts import SOLO, Crew, all_parts, drop_parts, own_parts, unusable
from .prepare import Prepared

if TYPE_CHECKING:
    from .context import StageContext

Half = npt.NDArray[np.float16]


class PseudoLabels:
    """Reads ``pseudo.h5`` by memory map: half precision, about 160 kB a two-second clip.

    Attributes:
        flows: each training video's on its grid, ``(G, 2, h, w)`` float16 (`video_flow`).
    """

    def __init__(self, path: Path) -> None:
        whole = np.asarray(np.memmap(path, np.uint8, mode="r"))
        with h5py.File(path, "r") as file:
            self.flows, self._embedding = (
                [_mapped(whole, file[f"{kind}/{i}"]) for i in range(len(file[kind]))] for kind in ("flow", "embedding")
            )

    def flow(self, video: int, at: int) -> npt.NDArray[np.float32]:
        """Return the flow from the ED frame to grid frame ``at`` in pixels of the full frame, ``(2, h, w)``."""
        return self.flows[video][at].astype(np.float32)

    def embedding(self, video: int) -> npt.NDArray[np.float32]:
        """Return the re-ID embeddings of all frames of a video, ``(T, D)``."""
        return self._embedding[video].astype(np.float32)


def _mapped(file: npt.NDArray[np.uint8], dataset: h5py.Dataset) -> Half:
    """Return a dataset as it lies in the bytes of its file; read, if it lies there in another form."""
    offset = dataset.id.get_offset()  # None if it does not lie in one piece
    if offset is None or dataset.dtype != np.float16:
        return np.asarray(dataset[()], np.float16)
    found: Half = file[offset : offset + dataset.nbytes].view(np.float16).reshape(dataset.shape)
    return found


def video_flow(heart: Heart) -> Half:
    """Return the flow from the ED frame to every frame on the grid, ``(G, 2, h, w)``, in pixels of the full frame."""
    return shrink_flow(estimated_flows(heart)).astype(np.float16)


def write_pseudo(data: Prepared, reid: ReIDEncoder, path: Path, *, batch: int = 256, crew: Crew = SOLO) -> None:
    """Write the pseudo labels of all training videos; do nothing if they are there.

    Parts are kept until all are there: a killed run goes on with the next one.

    Args:
        data: the videos.
        reid: makes the embeddings.
        path: of the file.
        batch: frames that it embeds at once.
        crew: the processes that share the work.

    Raises:
        EchoAugmentError: a part is lacking or damaged when all should be there.
    """
    if path.exists():  # killed between joining and being told so
        drop_parts(path, crew)
        return
    parts = all_parts(path, len(data.training), ".h5")
    with ThreadPoolExecutor(crew.cores) as pool:
        for part, numbers in own_parts(parts, "pseudo labels", crew):
            with _new_file(part) as file:
                flows = pool.map(video_flow, [data.videos[v] for v in numbers])
                for number, flow in zip(numbers, flows, strict=True):
                    file.create_dataset(f"flow/{number}", data=flow)
                    file.create_dataset(f"embedding/{number}", data=embeddings(reid, data.videos[number], batch))
    crew.wait()
    if crew.leads:
        _join(parts, path)
    drop_parts(path, crew)


def embeddings(reid: ReIDEncoder, heart: Heart, batch: int) -> Half:
    """Return the embeddings of all frames of a video, ``(T, D)``."""
    frames = torch.from_numpy(np.array(heart.frames))[:, None]
    with torch.no_grad():
        parts = [reid(part.to(reid.device).float() / 255) for part in frames.split(batch)]
    return torch.cat(parts).cpu().numpy().astype(np.float16)


@contextmanager
def _new_file(path: Path) -> Iterator[h5py.File]:
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["teacher"] = "opencv-dis-medium"
        yield file


def _join(parts: Sequence[tuple[Path, range]], path: Path) -> None:
    """Copy the labels of all parts into one file."""
    with _new_file(path) as file:
        for part, numbers in parts:
            try:
                with h5py.File(part, "r") as source:
                    for number in numbers:
                        for kind in ("flow", "embedding"):
                            source.copy(f"{kind}/{number}", file.require_group(kind))
            except (OSError, KeyError) as error:
                raise unusable(part, f"cannot be read ({error})") from None


def make(context: "StageContext") -> dict[str, float]:
    """Write the pseudo labels, each process its share."""
    write_pseudo(context.data, context.networks.reid, context.out / "pseudo.h5", crew=context.crew)
    return {"hearts": len(context.data.training)}
