"""Pages of the site that are made of the code: the settings of every job, the keys of a benchmark's report.

``docs/hooks.py`` adds them while the site is built, so they are never older than what they describe.
"""

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from echo_augment.cache.system.files import JsonValue
from echo_augment.training_recipes.cli import OWN, SPOKEN, SUMMARIES, find_jobs
from echo_augment.training_recipes.common.settings import KINDS
from echo_augment.training_recipes.common.text import markdown_table

from ..report.content import BenchmarkReport
from ..statistics.records import Record

CONF = "echo_augment.training_recipes.conf"
NEEDED = "**needed**"
HEADER = ["setting", "type", "default", "what it is"]


def attributes(kind: type) -> dict[str, str]:
    """Return what the docstrings of a dataclass and of its bases say of each attribute, by name.

    >>> attributes(Record), sorted(attributes(BenchmarkReport))[:2]
    ({}, ['arithmetic', 'arms'])
    """
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        lines = inspect.cleandoc(one.__doc__ or "").splitlines()
        starts = [place for place, line in enumerate(lines) if line.strip() == "Attributes:"]
        name = ""
        for line in lines[starts[0] + 1 :] if starts else []:
            if line and not line.startswith("    "):
                break
            if start := re.match(r"    (\w+): (.*)", line):
                name, found[start[1]] = start[1], start[2]
            elif name and line.strip():
                found[name] += f" {line.strip()}"
    return {name: text.replace("``", "`") for name, text in found.items()}


def type_words(kind: Any) -> str:
    """Return a type as a reader writes it.

    >>> type_words(int | None), type_words(list[str]), type_words(Mapping[str, float])
    ('int or null', 'list of str', 'mapping of str to float')
    """
    kinds, origin = get_args(kind), get_origin(kind)
    if origin in (Union, UnionType):
        return " or ".join(type_words(one) for one in kinds)
    if origin in (list, tuple):
        return f"list of {type_words(kinds[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {type_words(kinds[0])} to {type_words(kinds[1])}"
    return {type(None): "null", Any: "anything"}.get(kind, getattr(kind, "__name__", str(kind)))


def classes_in(kind: Any) -> list[type]:
    """Return the dataclasses that a type holds: itself, or those in its lists, mappings and alternatives."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return [kind]
    return [found for one in get_args(kind) for found in classes_in(one)]


def setting_rows(kind: type, values: Mapping[str, JsonValue], before: str = "") -> Iterator[list[str]]:
    """Yield ``[setting, type, default, words]`` of a dataclass of settings, groups unfolded.

    Args:
        kind: the dataclass.
        values: its settings as composed, interpolations as they are written.
        before: path of the group, with a dot behind it.
    """
    hints, words = get_type_hints(kind), attributes(kind)
    for one in dataclasses.fields(kind):
        value, inner = values[one.name], classes_in(hints[one.name])
        if inner and isinstance(value, dict):
            yield from setting_rows(inner[0], value, f"{before}{one.name}.")
            continue
        told = "; ".join(f"`{key}`" for key in value) if isinstance(value, dict) and value else f"`{json.dumps(value)}`"
        default = NEEDED if value == "???" else told
        yield [f"`{before}{one.name}`", type_words(hints[one.name]), default, words.get(one.name, "")]


def settings_page(job: str) -> str:
    """Return the Markdown page of a job's settings: a table of the structured configuration, and its YAML file.

    Args:
        job: its name, one of `OWN`.
    """
    find_jobs()[job].load()  # registers the settings
    with initialize_config_module(CONF, version_base="1.3"):
        composed = cast(dict[str, JsonValue], OmegaConf.to_container(compose(job), resolve=False))
    rows = list(setting_rows(KINDS[job], composed))
    spoken = {f"`{inner}`": f"`{word}`" for word, inner in SPOKEN.get(job, {}).items()}
    rows = [[spoken.get(name, name), *rest] for name, *rest in rows]
    source = (files(CONF) / f"{job}.yaml").read_text(encoding="utf-8").rstrip()
    return (
        f"# Settings of {job}\n\n`echo-augment {job} key=value ...`: {SUMMARIES[job]}.\n\n"
        f"{markdown_table(HEADER, rows)}\n\n## The file\n\n"
        f"What Hydra reads (`echo-augment {job} --help` prints it composed):\n\n```yaml\n{source}\n```\n"
    )


def settings_pages() -> dict[str, str]:
    """Return the settings page of every job of ours, by name."""
    return {job: settings_page(job) for job in OWN}


def record_kinds(kind: type[Record]) -> list[type]:
    """Return a record's class and those of the records that it holds, each once, the outer ones first."""
    found, ahead = list[type](), [kind]
    while ahead:
        one = ahead.pop(0)
        if one not in found:
            found.append(one)
            ahead += [inner for hint in get_type_hints(one).values() for inner in classes_in(hint)]
    return found


def schema() -> str:
    """Return the keys of a benchmark's ``report.json`` as Markdown, a table for every record in it."""
    parts = []
    for kind in record_kinds(BenchmarkReport):
        hints, words = get_type_hints(kind), attributes(kind)
        rows = []
        for one in dataclasses.fields(kind):
            optional = one.default is not dataclasses.MISSING or one.default_factory is not dataclasses.MISSING
            key = one.metadata.get("key", one.name)
            rows.append(
                [f"`{key}`", type_words(hints[one.name]), "may be absent" if optional else "", words.get(one.name, "")]
            )
        title = (inspect.cleandoc(kind.__doc__ or "").splitlines() or [""])[0].replace("``", "`")
        parts.append(f"## {kind.__name__}\n\n{title}\n\n{markdown_table(['key', 'type', '', 'what it is'], rows)}\n")
    return "\n".join(parts)
