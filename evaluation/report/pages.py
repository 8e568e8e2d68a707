"""A report's sections as one HTML page that stands alone, and as Markdown with its pictures beside it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

from echo_augment.cache.system.files import atomic_path
from echo_augment.training_recipes.common.text import markdown_table

from .tables import Table

FENCES = {"code": "bash", "yaml": "yaml"}  # language of a block by its kind
LONG = 24  # letters; longer cells of a table break into lines


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG or GIF with its caption; ``name`` is that of its file beside the Markdown, ``wide`` lets it scroll."""

    name: str
    data: bytes
    caption: str
    wide: bool = False

    @property
    def suffix(self) -> str:
        """``png`` or ``gif``."""
        return "gif" if self.data[:3] == b"GIF" else "png"


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph, or by ``kind`` a box (``verdict ..``, ``caveat``, ``sub``), ``code``, ``yaml``, ``list`` (lines)."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report under a title; the first one's is that of the page."""

    title: str
    parts: Sequence[Table | Picture | Words]


def write_pages(out: Path, sections: Sequence[Section]) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.md`` with its pictures in ``figures/``; return both paths."""
    page, text = out / "report.html", out / "report.md"
    write_figures(out, sections)
    for path, content in ((text, markdown(sections)), (page, html(sections))):
        with atomic_path(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return page, text


def write_figures(out: Path, sections: Sequence[Section]) -> None:
    """Write the pictures of a page into ``<out>/figures``, where `markdown` links them."""
    for section in sections:
        for part in section.parts:
            if isinstance(part, Picture):
                path = out / "figures" / f"{part.name}.{part.suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_path(path) as temporary:
                    temporary.write_bytes(part.data)


def html(sections: Sequence[Section]) -> str:
    """Return the whole page, style and pictures inside."""
    style = files("echo_augment.evaluation.report").joinpath("report.css").read_text(encoding="utf-8")
    body = []
    for number, section in enumerate(sections):
        level = "h2" if number else "h1"
        parts = "".join(map(_html_part, section.parts))
        body.append(f"<section><{level}>{escape(section.title)}</{level}>{parts}</section>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>echo-augment: {escape(sections[0].title)}</title><style>{style}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _html_part(part: Table | Picture | Words) -> str:
    if isinstance(part, Table):
        return _html_table(part)
    if isinstance(part, Picture):
        data = base64.b64encode(part.data).decode()
        return (
            f"<figure class='{'frames' if part.wide else ''}'><div class='wide'>"
            f"<img alt='{escape(part.caption, quote=True)}' src='data:image/{part.suffix};base64,{data}'></div>"
            f"<figcaption>{escape(part.caption)}</figcaption></figure>"
        )
    if part.kind in FENCES:
        return f"<pre>{escape(part.text)}</pre>"
    if part.kind == "list":
        return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in part.text.splitlines()) + "</ul>"
    return f"<p class='{part.kind}'>{escape(part.text)}</p>"


def _html_table(table: Table) -> str:
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in table.notes)
    if table.run:
        cells = "".join(
            f"<tr><td>{escape(row[0])}</td><td class='text'>{escape(row[1])}</td></tr>" for row in table.rows
        )
        return f"<table class='run'><tbody>{cells}</tbody></table>{notes}"
    top = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in table.rows)
    return f"<div class='wide'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>{notes}"


def _cell(text: str) -> str:
    """Return a cell of a table; a long one may break its line."""
    return f"<td{' class=words' if len(text) > LONG else ''}>{escape(text)}</td>"


def markdown(sections: Sequence[Section]) -> str:
    """Return the report as GitHub's Markdown, for a paper's appendix."""
    lines: list[str] = []
    for number, section in enumerate(sections):
        lines += [f"{'##' if number else '#'} {section.title}", ""]
        for part in section.parts:
            lines += [*_markdown_part(part), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _markdown_part(part: Table | Picture | Words) -> list[str]:
    if isinstance(part, Picture):
        return [f"![{part.caption}](figures/{part.name}.{part.suffix})", "", f"*{part.caption}*"]
    if isinstance(part, Words):
        if part.kind in FENCES:
            return [f"```{FENCES[part.kind]}", part.text, "```"]
        if part.kind == "list":
            return [f"- {line}" for line in part.text.splitlines()]
        return [f"**{part.text}**" if part.kind.startswith("verdict") else part.text]
    notes = [line for note in part.notes for line in ("", note)]
    return [markdown_table(part.header, part.rows), *notes]
