"""Parts that are installed only where they are needed: an error names the one that is missing.

The core (``pip install echo-augment``) reads data sets and caches, and wraps data sets. A module that needs more says
so where it imports it: ``with needs("generate"): import diffusers``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from ..errors import EchoAugmentError

NEEDED = {
    "generate": ("accelerate", "diffusers", "huggingface_hub", "safetensors", "scipy"),
    "recipes": ("PIL", "albumentations", "hydra", "matplotlib", "omegaconf", "scipy", "sklearn", "torchvision"),
}
"""What each extra of ``pyproject.toml`` brings that the code cannot do without, by the names of the imports."""


class MissingExtra(EchoAugmentError, ImportError):
    """A package is not installed; the remedy names the extra that brings it.

    Args:
        package: name of its import.
        extra: of this package.
    """

    def __init__(self, package: str, extra: str) -> None:
        text = f"{package} is not installed; this part of echo-augment needs it"
        super().__init__(text, f"pip install 'echo-augment[{extra}]'")
        self.package, self.extra = package, extra


def need(extra: str) -> None:
    """Raise if a package of an extra is missing; nothing is imported for that.

    Raises:
        MissingExtra: naming the first one.
    """
    for group in ("recipes", "generate") if extra == "recipes" else (extra,):
        for package in NEEDED[group]:
            if find_spec(package) is None:
                raise MissingExtra(package, extra)


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import packages of an extra inside; what is missing is named together with the extra.

    Raises:
        MissingExtra: a package inside is missing.

    >>> with needs("generate"):
    ...     import diffusion_of_tomorrow
    Traceback (most recent call last):
    ...
    echo_augment.cache.system.extras.MissingExtra: diffusion_of_tomorrow is not installed; this part of echo-augment
    needs it. pip install 'echo-augment[generate]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("echo_augment"):
            raise
        raise MissingExtra(error.name.partition(".")[0], extra) from None
