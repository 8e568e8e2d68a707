"""The reference's code, imported from clones whose folders environment variables name; without them the suite skips.

    ECHO_AUGMENT_EMAVFI=FOLDER ECHO_AUGMENT_MCDM=FOLDER ECHO_AUGMENT_ECHOSYN=FOLDER python -m pytest -s tests/parity

of MCG-NJU/EMA-VFI, ZheLi2020/LabelfreeMCDM and HReynaud/EchoNet-Synthetic. It is run as it is, on the CPU: `.cuda()`
gives its tensor back, and packages of which it needs a function or nothing here are stood in for.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

FIGURES: dict[str, float] = {}  # largest difference by row, printed at the end


def clone(variable: str) -> Path:
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} names no clone of the reference")
    commit = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    print(f"\n{variable}: {commit.stdout[:7]}")
    return Path(folder)


def permute(x: Tensor, pattern: str) -> Tensor:
    """Stand in for ``einops.rearrange`` where it only permutes."""
    before, after = (side.split() for side in pattern.split("->"))
    return x.permute([before.index(name) for name in after])


def stand_ins() -> dict[str, ModuleType]:
    """Return the packages that the reference imports and that need not be here, as far as it uses them here."""
    found = {name: ModuleType(name) for name in ("timm", "timm.models", "timm.models.layers", "einops", "imageio")}
    found["imageio.v3"] = ModuleType("imageio.v3")
    layers = found["timm.models.layers"]
    layers.DropPath = nn.Identity  # type: ignore[attr-defined]
    layers.to_2tuple = lambda x: x if isinstance(x, tuple) else (x, x)  # type: ignore[attr-defined]
    layers.trunc_normal_ = nn.init.trunc_normal_  # type: ignore[attr-defined]
    found["einops"].rearrange = permute  # type: ignore[attr-defined]
    found["imageio"].v3 = found["imageio.v3"]  # type: ignore[attr-defined]
    return found


def imported(folder: Path, *names: str) -> list[ModuleType]:
    """Import modules of a folder beside ours, and leave no trace of their names."""
    before = dict(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        for name, module in stand_ins().items():
            sys.modules.setdefault(name, module)
        return [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - set(before):
            if name.split(".")[0] in ("model", "config", "echosyn", "timm", "einops", "imageio"):
                del sys.modules[name]


@pytest.fixture(scope="session")
def emavfi():
    """EMA-VFI's configuration, network and loss."""
    folder = clone("ECHO_AUGMENT_EMAVFI")
    config, loss, warplayer, refine = imported(folder, "config", "model.loss", "model.warplayer", "model.refine")
    for module in (loss, warplayer, refine):
        module.device = torch.device("cpu")
    return SimpleNamespace(config=config, loss=loss)


@pytest.fixture(scope="session")
def mcdm():
    """MCDM's helpers, and the folder of its latent video diffusion model."""
    folder = clone("ECHO_AUGMENT_MCDM") / "EchoNet-Synthetic"
    (common,) = imported(folder, "echosyn.common")
    return SimpleNamespace(common=common, lvdm=folder / "echosyn" / "lvdm")


@pytest.fixture(scope="session")
def echosyn():
    """EchoNet-Synthetic's helpers, and its folder."""
    folder = clone("ECHO_AUGMENT_ECHOSYN")
    (common,) = imported(folder, "echosyn.common")
    return SimpleNamespace(common=common, folder=folder)


@pytest.fixture
def on_cpu(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self, *_, **__: self)


@pytest.fixture
def agree(request):
    """Compare what ours and theirs give, and note the largest difference under a name."""

    def compare(row: str, ours: Tensor, theirs: Tensor, most: float = 1e-5) -> None:
        assert ours.shape == theirs.shape
        found = float((ours - theirs).abs().max())
        size = float(theirs.abs().max())
        FIGURES[row] = found
        print(f"{row}: differs by {found:.2g} of {size:.3g}")
        assert size > 0 and found <= most

    return compare
