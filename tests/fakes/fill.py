"""What tests of gates and labels fill caches with: a generator and a teacher that agree on grey levels."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from hydra import compose, initialize_config_module

from echo_augment.augmentor.data import read_table
from echo_augment.cache import EchoClip, PlanLine, Provenance
from echo_augment.training_recipes.common.dataset import ClipShape
from echo_augment.training_recipes.common.settings import settings_from
from echo_augment.training_recipes.ef.run import ClipForm
from echo_augment.training_recipes.filling.settings import FillSettings
from echo_augment.training_recipes.jobs import fill_cache as fill_cache  # registers the settings

READER = ClipForm(length=4, period=2, fps=50.0, mean=[0.0] * 3, std=[1.0] * 3, size=[16, 16])
SHAPE = ClipShape(num_frames=8, fps=25.0, image_size=112)


class Brightness(torch.nn.Module):
    """Reads the mean grey level of a clip as its EF."""

    def forward(self, clips):
        return clips.mean((1, 2, 3, 4))


def grey(name: str, level: float, frames: int = 8, fps: float = 25.0, ef: float = 50.0, side: int = 16) -> EchoClip:
    return EchoClip(name, np.full((frames, side, side), level, np.uint8), fps, ef=ef)


def line(name: str, motion: str = "A", appearance: str = "B") -> PlanLine:
    return PlanLine(name, motion, appearance, 0)


def config(*overrides):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return compose("fill-cache", ["data=echonet", "data.root=x", "out=y", *overrides])


def settings(*overrides) -> FillSettings:
    return settings_from(config(*overrides), FillSettings)


class Painter:
    """Paints clips in the grey of the motion donor's EF; every fourth line 30 points too bright."""

    fingerprint, sampler, frames, fps, height, width = "painter", "none", 8, 25.0, 112, 112
    skipped = ()

    def __init__(self, root: Path) -> None:
        self.motion_donors = {row.name: row.ef for row in read_table(root).split("TRAIN")}
        self.appearance_donors = sorted(self.motion_donors)
        self.pipeline = SimpleNamespace(reid=lambda frames: frames.flatten(1)[:, :7] + 0.01)

    def __call__(self, lines):
        return [self.clip(line) for line in lines]

    def clip(self, line):
        ef = self.motion_donors[line.motion_donor]
        level = ef + (30 if line.seed % 4 == 0 else 0)
        ripple = np.random.default_rng(line.seed).integers(-20, 21, (8, 112, 112))
        frames = np.clip(level + ripple, 0, 255).astype(np.uint8)
        source = Provenance(line.motion_donor, line.appearance_donor, line.seed, fingerprint="painter")
        return EchoClip(line.clip_id, frames, 25.0, ef=ef, provenance=source)
