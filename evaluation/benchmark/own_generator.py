"""The generators that a benchmark trains on its data set if it is given none."""

import csv
import io
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, open_dict

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.layouts.finding import DataFolder
from echo_augment.augmentor.mcdm.pipeline import BUNDLED
from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.files import atomic_path
from echo_augment.cache.system.locks import FolderLock
from echo_augment.cache.system.processes import end_with_parent
from echo_augment.cache.system.progress import say
from echo_augment.training_recipes.common.settings import settings_from
from echo_augment.training_recipes.generator.settings import GeneratorSettings
from echo_augment.training_recipes.jobs import train_generator

from .settings import DesignSettings

FOLDER, JOINED = "generator", "generator-videos"
HEADER = ("FileName", "EF", "FPS", "NumberOfFrames", "Split")
BUNDLED_CODEC = f"codec={BUNDLED / 'vae'}"
PATIENCE = 7 * 24 * 3600.0  # seconds that processes which share a benchmark wait for the one that trains


def configure(settings: DesignSettings, root: Path, out: Path, seed: int | None = None) -> DictConfig:
    """Return the configuration of ``train-generator`` on the TRAIN split of a data set.

    Args:
        settings: of the benchmark: ``seed``, ``device`` and ``generator.train``, what else one would type, where
            ``codec=bundled`` is the bundled generator's.
        root: folder of the data set.
        out: of the training.
        seed: of the training; None for the benchmark's own.
    """
    outer = GlobalHydra.instance().hydra  # that of the job which is running; there can be one only at a time
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
            told = [BUNDLED_CODEC if one == "codec=bundled" else one for one in settings.generator.train]
            cfg = compose("train-generator", ["data=echonet", *told])
    finally:
        GlobalHydra.instance().hydra = outer
    with open_dict(cfg):
        cfg.out, cfg.data.root = str(out), str(root)
        cfg.data.ef_unit, cfg.data.follow_links = settings.data.ef_unit, settings.data.follow_links
        cfg.seed, cfg.device = settings.seed if seed is None else seed, settings.device
    return cfg


def folder_of(settings: DesignSettings, out: Path, seed: int | None = None) -> Path:
    """Return where the generator of a training seed is trained: in ``generator.folder``, or in ``out``."""
    base = out if settings.generator.folder is None else Path(settings.generator.folder)
    return base / (FOLDER if seed is None else f"{FOLDER}-seed{seed}")


def own_generator(settings: DesignSettings, root: Path, out: Path, seed: int | None = None) -> Path:
    """Train a generator in `folder_of` or go on with it; stages that are done are skipped.

    In a process of its own: accelerate's state is one for a process, and the GPU's memory is free again afterwards.
    Processes that share a benchmark wait here for the one that trains.

    Args:
        settings: of the benchmark.
        root: folder of the data set, whose TRAIN videos train it, with those of ``generator.also``.
        out: folder of the benchmark.
        seed: of the training; None for the benchmark's own.

    Returns:
        The folder of its weights.

    Raises:
        EchoAugmentError: that training makes no generator, or as the job ``train-generator``, for instance that other
            settings trained what is there.
    """
    folder = folder_of(settings, out, seed)
    wanted = settings_from(configure(settings, root, folder, seed), GeneratorSettings)
    if wanted.pipeline_folder is None:
        raise EchoAugmentError(
            f"generator.train: only={wanted.last} makes no generator", "Leave only= out, or take only=student"
        )
    with FolderLock(folder.parent / f".{folder.name}.lock", PATIENCE):
        videos = root
        if settings.generator.also:
            with FolderLock(folder.parent / f".{JOINED}.lock", PATIENCE):
                videos = join_training_videos([root, *settings.generator.also], folder.parent / JOINED)
        told = "" if seed is None else f" with seed {seed}"
        say(f"the generator, trained{told} on the TRAIN split of {videos}, in {folder}")
        cfg = configure(settings, videos, folder, seed)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
            pool.submit(train_generator.run, cfg).result()
    return folder / wanted.pipeline_folder


def join_training_videos(roots: Sequence[DataFolder], out: Path) -> Path:
    """Make ``out`` a data set of links to the TRAIN videos of several, and return it; VAL and TEST stay behind.

    No EF goes along: a generator reads none. Done again, it gives the same folder.

    Args:
        roots: folders of the data sets, as `echo_augment.augmentor.data.read_table` takes them.
        out: made if it is missing.

    Raises:
        EchoAugmentError: two of their TRAIN videos have the same name.
    """
    text, found = io.StringIO(), dict[str, Path]()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(HEADER)
    (out / "Videos").mkdir(parents=True, exist_ok=True)
    for root in roots:
        for row in read_table(root).split("train"):
            if not row.path.is_file():
                continue
            if row.name in found:
                raise EchoAugmentError(
                    f"{row.path} and {found[row.name]}: two TRAIN videos with the same name",
                    "A generator can learn from data sets whose names differ: rename the videos of one",
                )
            found[row.name] = row.path
            _link(row.path.resolve(), out / "Videos" / row.path.name)
            rows.writerow([row.path.name, "", f"{row.fps:g}", row.n_frames, "TRAIN"])
    with atomic_path(out / "FileList.csv") as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    return out


def _link(path: Path, link: Path) -> None:
    if link.is_file():
        return
    with suppress(OSError):  # a file system without symbolic links
        link.unlink(missing_ok=True)
        link.symlink_to(path)
        return
    with atomic_path(link) as temporary:
        shutil.copyfile(path, temporary)
