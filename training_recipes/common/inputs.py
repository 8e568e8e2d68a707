"""Whether what settings name is there: asked by the command before it makes any folder, and before any work."""

from collections.abc import Iterable
from pathlib import Path

from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.cache.arguments import HUB_ID
from echo_augment.cache.errors import EchoAugmentError

GENERATOR_REMEDY = "Give the folder that train-generator or save_pretrained wrote, a Hub id (owner/name), or bundled"


def check_dataset_folder(root: str | None) -> None:
    """Raise if a data set's folder is named and has no table or no videos.

    Raises:
        EchoAugmentError: with what is missing.
    """
    if root is not None:
        find_files(root)


def check_generator(setting: str, name: str | None) -> None:
    """Raise if a generator is named and is neither ``bundled``, nor a saved pipeline, nor written like a Hub id.

    Args:
        setting: its name, for the message.
        name: its value.

    Raises:
        EchoAugmentError: with the setting and its value.
    """
    if name is None or name == "bundled" or (Path(name) / "model_index.json").is_file():
        return
    there = Path(name).exists()
    if there or not HUB_ID.fullmatch(name):
        what = "there is no model_index.json in it" if there else "there is no such folder"
        raise EchoAugmentError(f"{setting}={name}: {what}", GENERATOR_REMEDY)


def check_folders(setting: str, folders: Iterable[str | None], remedy: str) -> None:
    """Raise if a folder is named and is not there.

    Args:
        setting: name of the setting, for the message.
        folders: its values; None is passed over.
        remedy: which folder is meant.

    Raises:
        EchoAugmentError: with the setting and the folder.
    """
    for folder in folders:
        if folder is not None and not Path(folder).is_dir():
            raise EchoAugmentError(f"{setting}={folder}: there is no such folder", remedy)


def check_caches(setting: str, folders: Iterable[str | None]) -> None:
    """Raise if the folder of a cache is named and is not there.

    Raises:
        EchoAugmentError: with the setting and the folder.
    """
    check_folders(setting, folders, "Make one with: echo-augment fill-cache")


def check_trainings(setting: str, folders: Iterable[str | None]) -> None:
    """Raise if the folder of a finished training is named and is not there.

    Raises:
        EchoAugmentError: with the setting and the folder.
    """
    check_folders(setting, folders, "Give the folder of a finished train-ef or train-segmentation")
