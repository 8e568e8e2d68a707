"""The generator that a benchmark trains on its data set if it is given none."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, open_dict

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.processes import end_with_parent
from echo_augment.cache.system.progress import say
from echo_augment.training_recipes.common.settings import settings_from
from echo_augment.training_recipes.generator.settings import GeneratorSettings
from echo_augment.training_recipes.jobs import train_generator

from .settings import DesignSettings

FOLDER = "generator"


def configure(settings: DesignSettings, root: Path, out: Path) -> DictConfig:
    """Return the configuration of ``train-generator`` on the TRAIN split of a data set.

    Args:
        settings: of the benchmark: ``seed``, ``device`` and ``generator.train``, what else one would type.
        root: folder of the data set.
        out: of the training.
    """
    outer = GlobalHydra.instance().hydra  # that of the job which is running; there can be one only at a time
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
            cfg = compose("train-generator", ["data=echonet", *settings.generator.train])
    finally:
        GlobalHydra.instance().hydra = outer
    with open_dict(cfg):
        cfg.out, cfg.data.root = str(out), str(root)
        cfg.data.ef_unit, cfg.data.follow_links = settings.data.ef_unit, settings.data.follow_links
        cfg.seed, cfg.device = settings.seed, settings.device
    return cfg


def own_generator(settings: DesignSettings, root: Path, out: Path) -> Path:
    """Train a generator in ``<out>/generator`` or go on with it; stages that are done are skipped.

    In a process of its own: accelerate's state is one for a process, and the GPU's memory is free again afterwards.

    Returns:
        The folder of its weights.

    Raises:
        EchoAugmentError: that training makes no generator, or as the job ``train-generator``, for instance that other
            settings trained what is there.
    """
    folder = out / FOLDER
    cfg = configure(settings, root, folder)
    wanted = settings_from(cfg, GeneratorSettings)
    if wanted.pipeline_folder is None:
        raise EchoAugmentError(
            f"generator.train: only={wanted.last} makes no generator", "Leave only= out, or take only=student"
        )
    say(f"the generator, trained on the TRAIN split of {root}, in {folder}")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        pool.submit(train_generator.run, cfg).result()
    return folder / wanted.pipeline_folder
