"""A benchmark made small, and a stand-in for its generator."""

from hydra import compose, initialize_config_module
from omegaconf import DictConfig

from echo_augment.augmentor.data import read_table, read_video
from echo_augment.cache import EchoClip, Provenance
from echo_augment.evaluation.benchmark import demo, job  # register their settings
from echo_augment.evaluation.benchmark.settings import BenchmarkSettings
from echo_augment.training_recipes.common.settings import settings_from

SMALL = ["trainer.steps=4", "trainer.validate_every=2", "trainer.length=8", "trainer.batch_size=4", "device=cpu"]
SMALL += ["trainer.test_clips=1", "trainer.stats_clips=2", "model.settings.widths=[2,2]", "clips=4", "workers=1"]
SMALL += ["seeds=[0,1]", "resamples=199", "val_at_least=1"]


class StandIn:
    """Gives the motion donor's own frames: enough to run the chain."""

    fingerprint, sampler, skipped = "stand-in", "copy", ()
    frames, fps, height = 8, 12.5, 112

    def __init__(self, root, motion_donors) -> None:
        rows = {row.name: row for row in read_table(root).split("train")}
        self.rows, self.appearance_donors = rows, sorted(rows)
        self.motion_donors = {name: rows[name].ef for name in motion_donors}

    def __call__(self, lines):
        return [self.clip(line) for line in lines]

    def clip(self, line) -> EchoClip:
        frames = read_video(self.rows[line.motion_donor].path)[0][:32:4]
        provenance = Provenance(line.motion_donor, line.appearance_donor, line.seed, fingerprint=self.fingerprint)
        ef = self.motion_donors[line.motion_donor]
        return EchoClip(line.clip_id, frames, 12.5, ef, ed_frame=0, es_frame=4, provenance=provenance)


def load(weights, root, *, motion_donors, **_):
    return StandIn(root, motion_donors)


def composed(name: str, *overrides: str) -> DictConfig:
    """What Hydra makes of a small benchmark or demo."""
    assert job and demo
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return compose(name, [*SMALL, *overrides])


def configure(*overrides: str) -> BenchmarkSettings:
    """The settings of a small benchmark."""
    return settings_from(composed("benchmark", *overrides), BenchmarkSettings)
