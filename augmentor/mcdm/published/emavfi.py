"""EMA-VFI's checkpoints, and MCDM's MAFE in the same layout, as `MAFE`."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from echo_augment.cache.errors import EchoAugmentError

from ..mafe import MAFE
from ..mafe.published import WRAPPED, load_published

ENDS = (".pkl", ".pth", ".pt", ".bin")
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
    weights = read_checkpoint(file)
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


def read_checkpoint(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name.

    Raises:
        EchoAugmentError: no such file, not a checkpoint, or one that holds more than tensors.
    """
    if not file.is_file():
        raise EchoAugmentError(f"{file}: there is no such file", REMEDY)
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EchoAugmentError(f"{file}: is no checkpoint of tensors ({first})", REMEDY) from error
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise EchoAugmentError(f"{file}: holds something else than tensors by name", REMEDY)
    return dict(found)


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
