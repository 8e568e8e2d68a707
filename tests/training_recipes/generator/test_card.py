"""What a card says of networks that the run did not train."""

import pytest

from echo_augment.training_recipes.generator.card import limits_words, taken_words
from echo_augment.training_recipes.generator.settings import Options

ONLY_PHANTOMS = "Trained on procedural phantoms only"


@pytest.mark.parametrize(
    ("phantom", "distil", "words"),
    [
        (True, None, ONLY_PHANTOMS),
        (False, None, ""),
        (True, "bundled", ONLY_PHANTOMS),
        (False, "bundled", "All but the student was trained on procedural phantoms only"),
        (True, "runs/echonet", "told by its own card"),
        (False, "runs/echonet", "told by its own card"),
    ],
)
def test_limits_are_those_of_all_that_trained(phantom, distil, words):
    only = "denoiser" if distil is None else "student"
    said = limits_words(phantom, Options(distil=distil, only=only))
    assert words in said and (ONLY_PHANTOMS in said) == (words == ONLY_PHANTOMS)


def test_a_codec_from_elsewhere_may_have_seen_anything():
    said = limits_words(True, Options(codec="hub:a/b"))
    assert said.startswith("All but the codec was trained on procedural phantoms only")


def test_where_networks_came_from_is_told_without_paths(tmp_path):
    def said(source):
        return taken_words(Options(distil=source, only="student"), {"teacher": "abc"})

    assert "`abc`" in said("bundled") and "generator bundled" in said("bundled")
    assert "owner/name" in said("owner/name") and str(tmp_path) not in said(str(tmp_path))
    assert "hub:a/b" in taken_words(Options(codec="hub:a/b"), {"codec": "abc"})
    assert taken_words(Options(), {}) == ""
