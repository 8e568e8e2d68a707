"""Models by name, with start weights that follow from a seed."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from echo_augment.cache.errors import EchoAugmentError


def make_seeded(
    kinds: Mapping[str, Callable[..., nn.Module]], what: str, name: str, settings: Mapping[str, Any], seed: int
) -> nn.Module:
    """The model ``kinds[name]``; its start weights are a pure function of ``seed``, and no global state moves.

    Args:
        kinds: models by name.
        what: they are, for the error: ``EF``, ``segmentation``.
        name: of the one to make.
        settings: its arguments.
        seed: of its weights.

    Raises:
        EchoAugmentError: there is no such model.
    """
    if name not in kinds:
        raise EchoAugmentError(f"there is no {what} model {name!r}", f"There are: {', '.join(kinds)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kinds[name](**settings)
