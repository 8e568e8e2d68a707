"""What a card says of networks that the run did not train, and by which command it was trained."""

import pytest
from fakes.generator import settings
from fakes.lpips import write_lpips

from echo_augment.training_recipes.common.lpips import hash_lpips
from echo_augment.training_recipes.generator.card import (
    command_line,
    limits_words,
    loss_words,
    stage_table,
    taken_words,
)
from echo_augment.training_recipes.generator.ledger import RunSettings

ONLY_PHANTOMS = "Trained on procedural phantoms only"
BASE = "echo-augment train-generator preset=tiny data=phantom data.n=3200 data.seed=1001"


def run(**found):
    return RunSettings(preset={}, seed=0, videos="", **found)


@pytest.mark.parametrize(
    ("data", "distil", "words"),
    [
        ("phantom", None, ONLY_PHANTOMS),
        ("echonet", None, ""),
        ("phantom", "bundled", ONLY_PHANTOMS),
        ("echonet", "bundled", "All but the student was trained on procedural phantoms only"),
        ("phantom", "runs/echonet", "told by its own card"),
        ("echonet", "runs/echonet", "told by its own card"),
    ],
)
def test_limits_are_those_of_all_that_trained(data, distil, words):
    source = [] if distil is None else [f"distil={distil}"]
    said = limits_words(settings(f"data={data}", "data.root=x", *source))
    assert words in said and (ONLY_PHANTOMS in said) == (words == ONLY_PHANTOMS)


def test_a_codec_from_elsewhere_may_have_seen_anything():
    said = limits_words(settings("codec='hub:a/b'"))
    assert said.startswith("All but the codec was trained on procedural phantoms only")


def test_the_card_says_whether_lpips_trained_the_codec(tmp_path):
    assert "without LPIPS" in loss_words(settings("preset=paper"))
    folder = write_lpips(tmp_path)
    said = loss_words(settings("preset=paper", f"preset.codec.lpips_weights={folder}"))
    assert "with LPIPS of VGG-16, weight 1" in said and str(folder) not in said
    assert (
        hash_lpips(folder)
        in said
        != loss_words(settings("preset=paper", f"preset.codec.lpips_weights={write_lpips(tmp_path, seed=1)}"))
    )
    for taken in ("preset=tiny", "codec='hub:a/b'", "preset.codec.steps=0"):
        assert loss_words(settings(*([] if taken == "preset=tiny" else ["preset=paper"]), taken)) == ""


def test_where_networks_came_from_is_told_without_paths(tmp_path):
    def said(source):
        return taken_words(settings(f"distil={source}"), run(teacher="abc"))

    assert "`abc`" in said("bundled") and "generator bundled" in said("bundled")
    assert "owner/name" in said("owner/name") and str(tmp_path) not in said(str(tmp_path))
    assert "hub:a/b" in taken_words(settings("codec='hub:a/b'"), run(codec="abc"))
    assert taken_words(settings(), run()) == ""


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([], ""),
        (["codec='hub:a/b'", "only=mafe", "losses=flow", "accumulate=4"], " codec=hub:a/b losses=flow accumulate=4"),
        (["codec=my-vae", "preset.student.kind=reflow"], " codec=FOLDER"),
        (["only=student", "preset.student.kind=reflow"], " only=student preset.student.kind=reflow"),
        (["distil=bundled"], " distil=bundled"),
        (["distil=my-generator"], " distil=GENERATOR"),
        (["distil=owner/name"], " distil=owner/name"),
        (["distil=bundled", "preset.mafe.steps=7", "preset.student.steps=9"], " distil=bundled preset.student.steps=9"),
        (["preset.mafe.steps=7", "preset.mafe.save_every=3", "preset.student.steps=9"], " preset.mafe.steps=7"),
        (["codec=my-vae", "preset.codec.kl=1"], " codec=FOLDER"),
        (["preset.denoiser.channels=[8, 16]"], " preset.denoiser.channels=[8,16]"),
        (["data.population=B", "data.splits=[0.5,0.25,0.25]"], " data.splits=[0.5,0.25,0.25] data.population=B"),
        (["preset.name=mine", "preset.mafe.steps=7"], ""),
    ],
)  # fmt: skip
def test_the_command_names_what_changes_the_weights(overrides, words):
    name = next((one.partition("=")[2] for one in overrides if one.startswith("preset.name=")), "tiny")
    assert command_line(settings(*overrides)) == BASE.replace("tiny", name) + words


def test_the_command_trains_the_same_again_and_names_no_folder(tmp_path):
    asked = [
        "data.n=50",
        "data.label_noise=4",
        "preset.transport.steps=7",
        "preset.mafe.losses.reid=0.5",
        f"preset.mafe.start={tmp_path}",
    ]
    told = command_line(settings(*asked))
    assert str(tmp_path) not in told and "preset.mafe.start=FOLDER" in told
    again = settings(*told.replace("FOLDER", str(tmp_path)).split()[2:])
    assert (again.preset, again.data) == (settings(*asked).preset, settings(*asked).data)


def test_stages_stand_in_their_order():
    figures = {"mafe": {"steps": 2, "seconds": 1.4, "psnr": 20.123}, "latents": {"frames": 7, "seconds": 2.0}}
    assert stage_table(figures).splitlines()[2:] == ["| latents |  | 2 | frames 7 |", "| mafe | 2 | 1 | psnr 20.1 |"]
