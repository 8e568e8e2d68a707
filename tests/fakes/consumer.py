"""Somebody's training script: `.ci/run` has `mypy --strict` check it against the installed package.

The last function holds a mistake that must be found: without ``py.typed`` every name of ours would be Any, and mypy
would call the comment unused.
"""

from collections.abc import Sequence
from pathlib import Path

from echo_augment import CachedClips, EchoNetDynamic, MCDMPipeline, SyntheticAugment
from echo_augment.cache import EchoClip, FillSummary, fill, make_plan
from echo_augment.cache.plan import PlanLine


def training_set(root: Path, cache: Path, p: float) -> SyntheticAugment:
    """Wrap a data set."""
    base = EchoNetDynamic(root, split="train", target_type=["EF"])
    train = SyntheticAugment(base, CachedClips(cache), p=p, seed=0)
    train.set_epoch(1)
    return train


def filled(cache: Path, clips: dict[str, EchoClip]) -> FillSummary:
    """Fill a cache with one's own clips."""

    def generate(lines: Sequence[PlanLine], /) -> list[EchoClip]:
        return [clips[line.clip_id] for line in lines]

    return fill(make_plan({"a": 55.0}, ["a"], n=4), generate, cache)


def mistaken(pipeline: MCDMPipeline, cache: Path) -> int:
    """Return a text where a number is promised."""
    pipeline.save_pretrained(cache)
    return filled(cache, {}).fingerprint  # type: ignore[return-value]
