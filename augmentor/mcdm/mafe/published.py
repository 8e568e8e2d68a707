"""What EMA-VFI calls the weights of its published checkpoints, so that these fit `MAFE` of 3 channels."""

import re
from collections.abc import Mapping

from torch import Tensor

from echo_augment.cache.errors import EchoAugmentError

from .backbone import LEVELS
from .model import MAFE

WRAPPED = "module."  # before every name of a checkpoint that several processes trained
COUNTED = ("attn_mask", "HW")  # last parts of names that are no weights: masks, and the size that they are for
INNER = {  # parts of names that are called otherwise there
    "norm": "norm1",
    "attention.query": "attn.q",
    "attention.key_value": "attn.kv",
    "attention.place": "attn.cor_embed",
    "attention.out": "attn.proj",
    "attention.motion": "attn.motion_proj",
    "norm_forward": "norm2",
    "forward_layer.widen": "mlp.fc1",
    "forward_layer.depthwise": "mlp.dwconv.dwconv",
    "forward_layer.narrow": "mlp.fc2",
}


def published_name(name: str) -> str:
    """Return EMA-VFI's name of one of MAFE's weights.

    >>> published_name("backbone.stages.0.layers.3.attention.query.weight")
    'feature_bone.block4.3.attn.q.weight'
    >>> published_name("backbone.embed.0.looks.2.1.bias"), published_name("refinement.ups.1.0.weight")
    ('feature_bone.patch_embed4.layers.4.bias', 'unet.up1.0.weight')
    """
    part, kind = name.rsplit(".", 1)
    if found := re.fullmatch(r"backbone\.pyramid\.(\d)\.(\d+)\.(\d)", part):
        level, index, place = (int(number) for number in found.groups())
        if level and not index:
            return f"feature_bone.patch_embed{level + 1}.{place}.{kind}"
        return f"feature_bone.block{level + 1}.conv.{2 * (index - (level > 0)) + place}.{kind}"
    if found := re.fullmatch(r"backbone\.embed\.0\.looks\.(\d)\.(\d)", part):
        back, index = (int(number) for number in found.groups())
        return f"feature_bone.patch_embed4.layers.{2**back - 1 + index}.{kind}"
    if found := re.fullmatch(r"backbone\.embed\.(\d)\.(mix|patch|norm)", part):
        what = "norm" if found[2] == "norm" else "proj"
        return f"feature_bone.patch_embed{LEVELS + 1 + int(found[1])}.{what}.{kind}"
    if found := re.fullmatch(r"backbone\.stages\.(\d)\.layers\.(\d+)\.(.+)", part):
        return f"feature_bone.block{LEVELS + 1 + int(found[1])}.{found[2]}.{INNER[found[3]]}.{kind}"
    if found := re.fullmatch(r"backbone\.stages\.(\d)\.norm", part):
        return f"feature_bone.norm{LEVELS + 1 + int(found[1])}.{kind}"
    if found := re.fullmatch(r"flow_heads\.(\d)\.net\.(.+)", part):
        return f"block.{found[1]}.conv.{found[2]}.{kind}"
    if found := re.fullmatch(r"refinement\.downs\.(\d)\.(\d)\.(\d)", part):
        return f"unet.down{found[1]}.conv{int(found[2]) + 1}.{found[3]}.{kind}"
    if found := re.fullmatch(r"refinement\.ups\.(\d)\.(\d)", part):
        return f"unet.up{found[1]}.{found[2]}.{kind}"
    return name.replace("refinement.leave", "unet.conv")


def load_published(mafe: MAFE, weights: Mapping[str, Tensor]) -> None:
    """Put the weights of an EMA-VFI checkpoint into a MAFE.

    Args:
        mafe: with 3 channels, of the checkpoint's width and depths.
        weights: by the checkpoint's names.

    Raises:
        EchoAugmentError: a weight is missing, left over, or of another shape; the first one is named.
    """
    bare = {name.removeprefix(WRAPPED): value for name, value in weights.items()}
    bare = {name: value for name, value in bare.items() if name.rsplit(".", 1)[-1] not in COUNTED}
    wanted = {published_name(name): name for name in mafe.state_dict()}
    wrong = [f"{name} is missing" for name in wanted if name not in bare]
    wrong += [f"{name} is not known" for name in bare if name not in wanted]
    own = mafe.state_dict()
    shapes = {name: (tuple(bare[name].shape), tuple(own[wanted[name]].shape)) for name in wanted if name in bare}
    wrong += [f"{name} has shape {there}, not {here}" for name, (there, here) in shapes.items() if there != here]
    if wrong:
        raise EchoAugmentError(
            f"EMA-VFI's weights do not fit MAFE: {wrong[0]} ({len(wrong)} in all)",
            "Give MAFE the checkpoint's width and depths, and channels=3",
        )
    mafe.load_state_dict({own_name: bare[name] for name, own_name in wanted.items()})
