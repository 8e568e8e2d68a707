"""Phantoms are written where there are none, or only a part of them; a whole set is left alone."""

import json

import pytest

from echo_augment.augmentor.data.phantom.sampling import FORMAT
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.dataset import DataSettings, dataset_root


@pytest.fixture
def calls(monkeypatch):
    made = []
    monkeypatch.setattr(
        "echo_augment.augmentor.data.phantom.write_phantoms", lambda root, n, **more: made.append((root, n, more))
    )
    return made


def test_phantoms_are_written_until_they_are_whole(tmp_path, calls):
    data = DataSettings(name="phantom", root=str(tmp_path), n=7, seed=0, splits=[0.5, 0.25, 0.25])
    assert dataset_root(data) == tmp_path
    (tmp_path / "FileList.csv").touch()  # a kill before phantoms.json
    dataset_root(data)
    assert calls == [(tmp_path, 7, {"seed": 0, "splits": [0.5, 0.25, 0.25]})] * 2
    (tmp_path / "phantoms.json").touch()
    dataset_root(data)
    assert len(calls) == 2


def test_a_real_folder_is_left_alone(tmp_path, calls):
    assert dataset_root(DataSettings(name="echonet", root=str(tmp_path))) == tmp_path and not calls


def test_phantoms_of_another_look_are_refused(tmp_path, calls):
    (tmp_path / "phantoms.json").touch()
    (tmp_path / "phantom_settings.json").write_text(json.dumps({"n": 7}), encoding="utf-8")  # without a format
    with pytest.raises(EchoAugmentError, match="format 1"):
        dataset_root(DataSettings(name="phantom", root=str(tmp_path), n=7, seed=0))
    assert not calls


def test_phantoms_that_are_there_are_used_and_told_where_they_are_others(tmp_path, calls, capsys):
    (tmp_path / "phantoms.json").touch()
    (tmp_path / "phantom_settings.json").write_text(json.dumps({"n": 7, "seed": 6, "format": FORMAT}))
    dataset_root(DataSettings(name="phantom", root=str(tmp_path), n=7, seed=7))
    assert "written with seed=6: they are used, whatever data says (seed=7)" in capsys.readouterr().out
    dataset_root(DataSettings(name="phantom", root=str(tmp_path), n=7, seed=6))
    assert capsys.readouterr().out == "" and calls == []


@pytest.mark.parametrize("splits", [[float("nan"), 0.5, 0.5], [0.5, float("nan"), 0.5], [0.5, 0.5], [1.5, -0.5, 0]])
def test_shares_that_are_none(splits):
    with pytest.raises(EchoAugmentError, match=r"data\.splits must be three shares"):
        DataSettings(name="phantom", root="x", n=4, seed=0, splits=splits)
