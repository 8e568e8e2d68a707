"""echo-augment: mix real echocardiograms with synthetic clips while training, and measure whether it helps.

What people meet first is here, the rest in `echo_augment.cache`, `.augmentor`, `.training_recipes` and `.evaluation`.
Names are imported when they are first used, so that a training that reads a cache never loads diffusers.

>>> from echo_augment import SyntheticAugment, CachedClips, LiveClips, MixedClips, EchoNetDynamic, MCDMPipeline
>>> SyntheticAugment.__module__
'echo_augment.augmentor.synthetic'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from echo_augment.augmentor.classical import ClassicalAugment
    from echo_augment.augmentor.data.echonet import EchoNetDynamic
    from echo_augment.augmentor.data.layouts.video_table import VideoTable
    from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
    from echo_augment.augmentor.sources.cached import CachedClips
    from echo_augment.augmentor.sources.in_memory import InMemoryClips
    from echo_augment.augmentor.sources.live import LiveClips
    from echo_augment.augmentor.sources.mixed import MixedClips
    from echo_augment.augmentor.synthetic import SyntheticAugment
    from echo_augment.augmentor.video_format import VideoFormat
    from echo_augment.cache.clip import EchoClip
    from echo_augment.cache.errors import EchoAugmentError
    from echo_augment.cache.store import ClipStore

    __version__: str

__all__ = [
    "CachedClips",
    "ClassicalAugment",
    "ClipStore",
    "EchoAugmentError",
    "EchoClip",
    "EchoNetDynamic",
    "InMemoryClips",
    "LiveClips",
    "MCDMPipeline",
    "MixedClips",
    "SyntheticAugment",
    "VideoFormat",
    "VideoTable",
    "__version__",
]
_HOMES = {
    "CachedClips": "augmentor.sources.cached",
    "ClassicalAugment": "augmentor.classical",
    "ClipStore": "cache.store",
    "EchoAugmentError": "cache.errors",
    "EchoClip": "cache.clip",
    "EchoNetDynamic": "augmentor.data.echonet",
    "InMemoryClips": "augmentor.sources.in_memory",
    "LiveClips": "augmentor.sources.live",
    "MCDMPipeline": "augmentor.mcdm.pipeline",
    "MixedClips": "augmentor.sources.mixed",
    "SyntheticAugment": "augmentor.synthetic",
    "VideoFormat": "augmentor.video_format",
    "VideoTable": "augmentor.data.layouts.video_table",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("echo-augment")
    elif name in _HOMES:
        value = getattr(import_module(f"echo_augment.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value  # found without this function from now on
    return value


def _command() -> None:
    """Run the command ``echo-augment``; without the extra ``recipes`` that is an error of one line."""
    import sys

    try:
        from echo_augment.training_recipes.cli import main
    except ImportError as error:
        if not hasattr(error, "extra"):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    main()


def __dir__() -> list[str]:
    """Name the public names, imported or not."""
    return sorted({*globals(), *__all__})
