"""Floor 2: what a training script imports. Wrap a dataset in `SyntheticAugment`, give it a source of clips, train."""

from typing import TYPE_CHECKING, Any

from .adapters import EchoAdapter
from .image_fields import ImageFields
from .sources.cached import CachedClips
from .sources.in_memory import InMemoryClips
from .sources.live import LiveClips
from .sources.mixed import MixedClips
from .synthetic import SyntheticAugment
from .video_format import VideoFormat

if TYPE_CHECKING:
    from .classical import ClassicalAugment

__all__ = [
    "CachedClips",
    "ClassicalAugment",
    "EchoAdapter",
    "ImageFields",
    "InMemoryClips",
    "LiveClips",
    "MixedClips",
    "SyntheticAugment",
    "VideoFormat",
]


def __getattr__(name: str) -> Any:
    if name == "ClassicalAugment":  # albumentations takes seconds to import
        from .classical import ClassicalAugment

        return ClassicalAugment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
