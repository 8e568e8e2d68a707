"""How the ``echonet`` package makes a sample: the reader that the others are measured against.

If ``echonet`` can be imported, its own `Echo` is used. Otherwise `EchoAsPublished` goes through the same steps,
written from their description (Ouyang et al., Nature 2020; github.com/echonet/dynamic): OpenCV decodes the whole video,
each frame goes from BGR to RGB, the whole video becomes float32 and is normalised, and then the frames are picked.
"""

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.augmentor.data.sampling import Scale
from echo_augment.cache.errors import EchoAugmentError

Video = npt.NDArray[np.float32]

OWN_CODE = importlib.util.find_spec("echonet") is not None
PEER = "the echonet package itself" if OWN_CODE else "the same steps, written anew"


def decode_as_published(path: str | Path) -> npt.NDArray[np.uint8]:
    """Return all frames of a video as ``echonet`` loads them, ``(3, T, H, W)`` uint8, red first.

    Raises:
        EchoAugmentError: OpenCV cannot open it, or a frame that the header promises is not there.
    """
    capture = cv2.VideoCapture(str(path))
    sides = (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
    count, height, width = (int(capture.get(side)) for side in sides)
    if not capture.isOpened() or count < 1:
        raise EchoAugmentError(f"{path}: OpenCV cannot open it")
    frames = np.zeros((count, height, width, 3), np.uint8)
    for place in range(count):
        there, picture = capture.read()
        if not there:
            raise EchoAugmentError(f"{path}: frame {place} of {count} cannot be read")
        frames[place] = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    capture.release()
    return frames.transpose(3, 0, 1, 2)


class EchoAsPublished(EchoNetDynamic):
    """`EchoNetDynamic` that reads as ``echonet`` does: arguments and samples are the same, but it is slower.

    It gives one clip a sample, without noise.
    """

    def __getitem__(self, index: int) -> tuple[Video, Any]:
        """Return the sample ``(3, length, H, W)`` float32 and its target."""
        row = self.rows[index]
        video = decode_as_published(row.path).astype(np.float32)
        video -= scale(self.mean)
        video /= scale(self.std)
        channels, count, height, width = video.shape
        choice = self.choose(index, count)
        needed = choice.length * self.period
        if count < needed:
            video = np.concatenate((video, np.zeros((channels, needed - count, height, width), np.float32)), axis=1)
        clip = video[:, choice.frames(self.period)[0]]
        if self.pad and choice.corner is not None:
            top, left = choice.corner
            wide = np.zeros((channels, choice.length, height + 2 * self.pad, width + 2 * self.pad), np.float32)
            wide[:, :, self.pad : -self.pad, self.pad : -self.pad] = clip
            clip = wide[:, :, top : top + height, left : left + width]
        return clip, self._target(index, (height, width), {})

    __getitem__.echo_samples = True  # type: ignore[attr-defined]  # form and values are Echo's


def scale(value: Scale) -> Any:
    """Return a number, or three in a shape that can be applied to ``(3, T, H, W)``."""
    return value if isinstance(value, float | int) else np.asarray(value).reshape(3, 1, 1, 1)


def peer_dataset(root: str | Path, split: str = "train", **settings: Any) -> Any:
    """Return the dataset of a folder as ``echonet`` reads it; its target is EF."""
    if OWN_CODE:
        import echonet

        return echonet.datasets.Echo(str(root), split, "EF", **settings)
    return EchoAsPublished(root, split, "EF", **settings)
