"""Find the images in a sample, so that one transform can be applied to all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from echo_augment.cache.errors import EchoAugmentError

from .adapters import FRAMES, TRACES, target_names

Key = int | str
Path = Key | tuple[Key, ...]
WHITE = 255.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageFields:
    """Where video, frames and masks are in a sample, and how grey levels are normalised.

    A place is an index (tuple samples), a key (dict samples), or a tuple of these for nested samples.

    Args:
        video: place of the video, float ``(C, T, H, W)`` or ``(K, C, T, H, W)``, NumPy or torch.
        frames: places of single frames ``(C, H, W)`` in the same normalisation.
        masks: places of masks ``(H, W)`` or ``(M, H, W)``.
        mean: grey level (0 to 255) that was subtracted, one number or ``(C,)``.
        std: divisor of the grey levels, one number or ``(C,)``; 255 for videos in [0, 1].
    """

    video: Path = 0
    frames: Sequence[Path] = ()
    masks: Sequence[Path] = ()
    mean: Any = 0.0
    std: Any = 1.0

    @classmethod
    def of(cls, dataset: Any) -> "ImageFields":
        """Return the fields of an Echo-like dataset's ``(video, target)``.

        Raises:
            EchoAugmentError: it has frames or traces as targets and a ``target_transform``, which may put them
                anywhere.
        """
        names = target_names(dataset)
        images = [name for name in names if name in (*FRAMES, *TRACES)]
        if images and getattr(dataset, "target_transform", None) is not None:
            raise EchoAugmentError(
                f"the dataset's target_transform hides where {images[0]} is, which must move along with the video",
                "Drop target_transform, or give ClassicalAugment fields=ImageFields(...)",
            )
        places: dict[str, Path] = {name: (1, place) if len(names) > 1 else 1 for place, name in enumerate(names)}
        return cls(
            frames=tuple(places[name] for name in names if name in FRAMES),
            masks=tuple(places[name] for name in names if name in TRACES),
            mean=dataset.mean,
            std=dataset.std,
        )

    def unpack(self, sample: Any) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any] | None]:
        """Return all images ``(N, H, W, C)`` float32 in [0, 1], and all masks ``(M, H, W)`` or None.

        ``C`` is 1 if the three channels agree within three grey levels, which is a third of the work. (JPEG gives grey
        files a little colour.)
        """
        video = _array(_get(sample, self.video))
        height, width, channels = *video.shape[-2:], video.shape[-4]
        parts = [np.moveaxis(video, -4, -1).reshape(-1, height, width, channels)]
        parts += [np.moveaxis(_array(_get(sample, place)), 0, -1)[None] for place in self.frames]
        images = np.concatenate(parts, dtype=np.float32)
        images *= np.asarray(self.std, np.float32) / np.float32(WHITE)
        images += np.asarray(self.mean, np.float32) / np.float32(WHITE)
        masks = [_array(_get(sample, place)).reshape(-1, height, width) for place in self.masks]
        if channels == 3 and all(np.abs(images[..., 0] - images[..., c]).max() <= 3 / WHITE for c in (1, 2)):
            images = images.mean(-1, keepdims=True)
        return images.clip(0, 1, out=images), np.concatenate(masks) if masks else None

    def resampled(self, sample: Any, places: npt.NDArray[np.float64]) -> Any:
        """Return a copy of ``sample`` whose video shows other places in time, ``(T,)`` in frames; linear between."""
        old = _get(sample, self.video)
        video = _array(old)
        low = np.clip(places.astype(np.int64), 0, max(video.shape[-3] - 2, 0))
        share = (places - low).astype(np.float32)[:, None, None]
        after = np.minimum(low + 1, video.shape[-3] - 1)
        mixed = video[..., low, :, :] * (1 - share) + video[..., after, :, :] * share
        return _put(sample, self.video, _like(old, mixed))

    def count(self, sample: Any) -> int:
        """Return the number of frames of a sample's video."""
        return int(_get(sample, self.video).shape[-3])

    def pack(self, sample: Any, images: npt.NDArray[np.float32], masks: npt.NDArray[Any] | None) -> Any:
        """Return a copy of ``sample`` with new images and masks, in its own form and normalisation."""
        video = _get(sample, self.video)
        *lead, channels, length, height, width = video.shape
        images = (images * np.float32(WHITE) - _alike(self.mean)) / _alike(self.std)
        if images.shape[-1] != channels:
            images = np.broadcast_to(images, (*images.shape[:-1], channels))
        count = int(np.prod([*lead, length]))
        stack = images[:count].reshape(*lead, length, height, width, channels)
        sample = _put(sample, self.video, _like(video, np.moveaxis(stack, -1, -4)))
        for offset, place in enumerate(self.frames):
            frame = np.moveaxis(images[count + offset], -1, 0)
            sample = _put(sample, place, _like(_get(sample, place), frame))
        start = 0
        for place in self.masks:
            if masks is None:
                break
            old = _get(sample, place)
            size = int(np.prod(old.shape[:-2]))
            sample = _put(sample, place, _like(old, masks[start : start + size].reshape(old.shape)))
            start += size
        return sample


def _alike(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return the one value of all channels if they have the same, so that grey images stay one channel of work."""
    found = np.asarray(values, np.float32).reshape(-1)
    return found[:1] if (found == found[0]).all() else found


def _keys(place: Path) -> tuple[Key, ...]:
    return place if isinstance(place, tuple) else (place,)


def _get(sample: Any, place: Path) -> Any:
    for key in _keys(place):
        sample = sample[key]
    return sample


def _put(sample: Any, place: Path, value: Any) -> Any:
    first, *rest = _keys(place)
    new = _put(sample[first], tuple(rest), value) if rest else value
    if isinstance(sample, Mapping):
        return type(sample)({**sample, first: new})  # type: ignore[call-arg]
    parts = [new if key == first else part for key, part in enumerate(sample)]
    return type(sample)(*parts) if hasattr(sample, "_fields") else type(sample)(parts)


def _array(value: Any) -> npt.NDArray[Any]:
    return value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def _like(old: Any, new: npt.NDArray[Any]) -> Any:
    if isinstance(old, torch.Tensor):
        return torch.from_numpy(np.ascontiguousarray(new)).to(old.dtype)
    return np.ascontiguousarray(new, old.dtype)
