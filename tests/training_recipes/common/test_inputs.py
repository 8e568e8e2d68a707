"""What settings name is looked for by its kind; what may still be fetched or made is let through."""

import pytest

from echo_augment.augmentor.mcdm.pipeline import BUNDLED
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.inputs import (
    check_caches,
    check_dataset_folder,
    check_folders,
    check_generator,
    check_trainings,
)


def test_generators(tmp_path):
    for name in (None, "bundled", "owner/name", str(BUNDLED)):
        check_generator("generator", name)
    for name, text in ((tmp_path, "no model_index.json in it"), (tmp_path / "x", "no such folder"), ("x", "no such")):
        with pytest.raises(EchoAugmentError, match=f"distil=.*{text}.*bundled"):
            check_generator("distil", str(name))


def test_data_sets(tmp_path):
    check_dataset_folder(None)
    with pytest.raises(EchoAugmentError, match=r"has no FileList\.csv"):
        check_dataset_folder(str(tmp_path))
    (tmp_path / "FileList.csv").touch()
    (tmp_path / "Videos").mkdir()
    check_dataset_folder(str(tmp_path))


def test_folders(tmp_path):
    (tmp_path / "file").touch()
    for check in (check_caches, check_trainings):
        check("x", [str(tmp_path), None])
        with pytest.raises(EchoAugmentError, match=r"x=.*file: there is no such folder"):
            check("x", [str(tmp_path), str(tmp_path / "file")])
    with pytest.raises(EchoAugmentError, match="Give another"):
        check_folders("x", [str(tmp_path / "b")], "Give another")
