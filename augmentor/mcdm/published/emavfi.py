"""EMA-VFI's checkpoints, and MCDM's MAFE in the same layout, as `MAFE`."""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from echo_augment.cache.errors import EchoAugmentError

from ..mafe import MAFE
from ..mafe.published import WRAPPED, load_published
from .strict import read_tensors

REMEDY = "Give EMA-VFI's file, for instance ours_t.pkl or ours_small_t.pkl"
HEAD = 32  # channels of an attention head, whatever the width
CONVOLUTION, ATTENTION = (0, 1, 2), (3, 4)  # stages


def import_mafe(file: Path) -> MAFE:
    """Return the MAFE of a checkpoint, of the width and depths that its weights have.

    Args:
        file: ``torch.save``'s, read without unpickling anything but tensors, or safetensors.

    Raises:
        EchoAugmentError: it cannot be read, or a weight is missing, extra or of another shape; the first one is named.
    """
    weights = read_tensors(file, REMEDY)
    bare = {name.removeprefix(WRAPPED): value for name, value in weights.items()}
    width, depths = form_of(bare, file)
    heads = 8 * width // HEAD, 16 * width // HEAD
    if min(heads) < 1:
        raise EchoAugmentError(f"{file}: a MAFE of width {width} has no head of {HEAD} channels", REMEDY)
    try:
        mafe = MAFE(width, depths, heads, channels=3)
        load_published(mafe, weights)
    except EchoAugmentError as error:
        raise EchoAugmentError(f"{file}: {error.message}", REMEDY) from error
    whole: MAFE = mafe.eval()
    return whole


def form_of(bare: Mapping[str, Tensor], file: Path) -> tuple[int, tuple[int, ...]]:
    """Return the width and the depths of a checkpoint's network, from the names and shapes of its weights.

    Raises:
        EchoAugmentError: its first convolution is not there.
    """
    first = "feature_bone.block1.conv.0.weight"
    if first not in bare:
        raise EchoAugmentError(f"{file}: EMA-VFI's weights do not fit MAFE: {first} is missing", REMEDY)
    depths = []
    for stage in (*CONVOLUTION, *ATTENTION):
        inner = r"conv\." if stage in CONVOLUTION else ""
        pattern = re.compile(rf"feature_bone\.block{stage + 1}\.{inner}(\d+)\.")
        count = len({match[1] for name in bare if (match := pattern.match(name))})
        depths.append(count // 2 if stage in CONVOLUTION else count)  # a convolution and its activation are two
    return int(bare[first].shape[0]), tuple(depths)
