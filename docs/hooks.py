"""What the site takes from the code and from elsewhere in the repository while it is built (mkdocs ``hooks``)."""

import atexit
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

from echo_augment.evaluation.studies.reference_pages import schema, settings_pages

ROOT = Path(__file__).parents[1]
FLOORS = ("cache", "augmentor", "training_recipes", "evaluation")
PLACE = "<!-- generated: schema -->"
CARDS = {
    "The bundled generator": ROOT / "augmentor" / "mcdm" / "weights" / "tiny" / "README.md",
    "The bundled EF reader": ROOT / "training_recipes" / "judging" / "weights" / "README.md",
}


@event_priority(100)  # before mkdocstrings reads its configuration
def on_config(config: Any) -> Any:
    """Lay the package out as it installs, for mkdocstrings: the checkout maps its folders into one package."""
    folder = Path(tempfile.mkdtemp(prefix="echo-augment-docs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    package = folder / "echo_augment"
    shutil.copytree(ROOT / "package", package)
    for floor in FLOORS:
        shutil.copytree(ROOT / floor, package / floor, ignore=shutil.ignore_patterns("weights", "__pycache__"))
    for module in package.rglob("*.py"):
        module.write_text(fenced(module.read_text(encoding="utf-8")), encoding="utf-8")
    evidence = next(section["Evidence"] for section in config.nav if "Evidence" in section)
    named = {path for page in evidence for path in page.values()}
    pages = sorted(f"evidence/{path.name}" for path in (ROOT / "docs" / "evidence").glob("*.md"))
    evidence += [page for page in pages if page not in named]  # pages that studies write, under their own titles
    config.plugins["mkdocstrings"].config.handlers.setdefault("python", {})["paths"] = [str(folder)]
    return config


def fenced(source: str) -> str:
    """Return a module whose doctests stand in code fences, for Markdown would take ``>>>`` for a quotation."""
    lines, inside = list[str](), ""
    for line in source.splitlines():
        start = re.match(r"( +)>>> ", line)
        if inside and (not line.strip() or line.strip().startswith(('"""', "```"))):
            lines.append(f"{inside}```")
            inside = ""
        elif start and not inside:
            inside = start[1]
            lines += ["", f"{inside}```pycon"]
        lines.append(line[:-1] if line.endswith("::") else line)  # reST's mark of a block of code
    return "\n".join(lines) + "\n"


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made of code: settings of every job, and the model cards."""
    for job, text in settings_pages().items():
        files.append(File.generated(config, f"reference/settings/{job}.md", content=text))
    cards = "\n\n".join(card(title, path.read_text(encoding="utf-8")) for title, path in CARDS.items())
    files.append(File.generated(config, "reference/model-cards.md", content=f"# Model cards\n\n{cards}\n"))
    return files


def card(title: str, text: str) -> str:
    """Return a model card without its front matter, its titles a level lower, under a title of its own."""
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    body = re.sub(r"\A# .*\n", "", body.lstrip())
    lower = re.sub(r"^(#+ )", r"#\1", body, flags=re.MULTILINE)
    return f"## {title}\n\n{lower.strip()}"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the schema of ``report.json`` into its page."""
    return markdown.replace(PLACE, schema()) if page.file.src_uri == "reference/report-json.md" else markdown
