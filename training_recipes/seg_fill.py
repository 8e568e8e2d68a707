"""Masks for a fill: the segmenter of a folder draws them on every clip, unless a held-out heart trained it."""

from pathlib import Path
from typing import Any

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.mcdm.clip_generator import TRAINED_ON, refuse_trained_on
from echo_augment.augmentor.mcdm.masks import WithMasks
from echo_augment.cache.errors import EchoAugmentError

from .gates.hearts import held_out_videos
from .seg_parts import traced_masks
from .seg_teacher import load_segmenter


def masked(generator: Any, folder: str | Path, root: Path, *, device: str = "cpu") -> WithMasks:
    """A generator whose clips carry the masks that a trained segmenter draws.

    The masks are held against the tracings of the hearts that trained the segmenter; those of others stay unknown.

    Args:
        generator: makes the clips.
        folder: that train-segmentation wrote.
        root: of the data set.
        device: for the segmenter.

    Raises:
        EchoAugmentError: no segmenter there, one that does not say what trained it, or one that a VAL or TEST video
            trained.
    """
    segmenter, folder = load_segmenter(folder, device=device), Path(folder)
    if not (folder / TRAINED_ON).is_file():
        raise EchoAugmentError(
            f"segmenter {folder}: there is no {TRAINED_ON} that says which videos trained it",
            "Run echo-augment train-segmentation again, into another folder",
        )
    refuse_trained_on(folder, held_out_videos(read_table(root)), what="segmenter")
    return WithMasks(generator, segmenter, traced_masks(root, segmenter.labelled))
