"""What the documents name is there: modules of the glossary, and files that links lead to."""

import re
from pathlib import Path

import pytest

from echo_augment.training_recipes.cli import OWN

ROOT = Path(__file__).parents[2]
CARDS = [ROOT / "augmentor/mcdm/weights/tiny/README.md", ROOT / "training_recipes/judging/weights/README.md"]
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
MADE = {f"reference/settings/{job}.md" for job in OWN} | {"reference/model-cards.md"}  # by docs/hooks.py
HISTORY = ROOT / "docs" / "evidence" / "history.md"  # names files of an old commit
PRESENT = [*(page for page in DOCS if page != HISTORY), ROOT / "CONTRIBUTING.md", *CARDS]
PATH = re.compile(r"(tests|docs|examples|augmentor|training_recipes|evaluation|conf)/[\w./-]+|cache/[\w/]+\.py")
FLOORS = ("", "cache", "training_recipes")  # folders that pages leave out before a path
GLOSSARY = ROOT / "docs" / "concepts" / "glossary.md"


def test_every_word_of_the_glossary_has_one_sentence_and_a_module_that_is_there():
    rows = [line.strip("| ").split(" | ") for line in GLOSSARY.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if len(row) == 3 and row[2].startswith("`")]
    assert len(rows) > 50 and len({row[0] for row in rows}) == len(rows)
    for word, sentence, where in rows:
        assert sentence.endswith(".") and sentence[0].isupper(), word
        assert (ROOT / where.strip("`")).exists(), f"{word} lives in {where}, which is not there"


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    made = {(ROOT / "docs" / name).resolve() for name in MADE}
    found = [(page.parent / link).resolve() for link in links if "://" not in link]
    assert not [str(path) for path in found if not path.exists() and path not in made]


@pytest.mark.parametrize("page", PRESENT, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_in_the_text_are_there(page):
    words = [word for code in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")) for word in code.split()]
    paths = [word for word in words if PATH.fullmatch(word)]
    assert not [path for path in paths if not any((ROOT / floor / path).exists() for floor in FLOORS)]


def test_what_counts_as_a_path():
    assert PATH.fullmatch("tests/cache") and PATH.fullmatch("evaluation/weights/README.md")
    assert not PATH.fullmatch("cache/dynamic")
