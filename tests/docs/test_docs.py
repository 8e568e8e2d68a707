"""What the documents name is there: modules of the glossary, and files that links lead to."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
GLOSSARY = ROOT / "docs" / "concepts" / "glossary.md"


def test_every_word_of_the_glossary_has_one_sentence_and_a_module_that_is_there():
    rows = [line.strip("| ").split(" | ") for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if "`" in line]
    rows = [row for row in rows if len(row) == 3]
    assert len(rows) > 50
    for word, sentence, where in rows:
        assert sentence.endswith(".") and sentence[0].isupper(), word
        assert (ROOT / where.strip("`")).exists(), f"{word} lives in {where}, which is not there"


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_named_documents_are_there():
    for page in DOCS:
        if page.name == "history.md":  # names what the tree no longer holds
            continue
        named = re.findall(r"`(docs/[\w/.-]+\.md)`", page.read_text(encoding="utf-8"))
        assert [name for name in named if not (ROOT / name).exists() and "evidence/" not in name] == []
