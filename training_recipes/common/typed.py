"""What is typed is what is meant: a text that looks like a number stays the text, also in lists and sweeps."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from echo_augment.cache.errors import EchoAugmentError

from .settings import KINDS

NUMBER = r"[+-]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[+-]?\d[\d_]*)?|[+-]?inf|nan|true|false"
QUOTED = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
NUMBER_LIKE, IN_A_MAPPING = (
    re.compile(rf"(?P<quoted>{QUOTED})|(?<![^{before}])(?P<number>\s*(?:{NUMBER})\s*)(?=[,\])}}]|$)", re.IGNORECASE)
    for before in (r",\[(", r",\[({:")
)
PART = rf"(?:{QUOTED}|\[[^\[\]]*\]|\{{[^{{}}]*\}}|[^,\[\]{{}}'\"])+"
LIST = re.compile(rf"\[{PART}(?:,{PART})*\]")
FUNCTION = re.compile(r"\w+\(")
HOME = re.compile(r"(?<![^,\[])~(?=/|$)")
OPENING = ("[", "{", "'", '"')
ARM_TEXTS = frozenset({"_target_", "clips", "exclude", "label", "teacher"})
"""Settings of an arm that are texts, which its mapping does not say: ``arm.synthetic.exclude=2024_11`` is a file."""


def as_typed(job: str, arguments: Sequence[str]) -> list[str]:
    """Return a command's arguments with quotes where a text would be read as a number.

    ``out=2024_11`` would write to ``202411``, ``out=1e3`` to ``1000.0``: to YAML they are numbers. So are the parts of
    a list (``data=[2024_11,2024_12]``), of a mapping and of a sweep (``data.root=1e3,2e3``). Signs that Hydra reads
    only in quotes (``out=Märkisch``, ``out=run (2)``, ``generator.train=[preset=base]``) are quoted, and ``~/`` is the
    home folder: no shell replaces it in ``data.root=~/echo``.

    Args:
        job: whose settings they are.
        arguments: for instance ``["out=2024_11", "n=1_000"]``.
    """
    found = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and _takes_text(KINDS.get(job), key.lstrip("+").split(".")):
            function = FUNCTION.match(value)
            value = HOME.sub(lambda _: str(Path.home()), value)
            readable = _is_readable(f"{key}={value}")
            if not readable and LIST.fullmatch(value):
                value = f"[{','.join(_as_text(part) for part in re.findall(PART, value[1:-1]))}]"
            elif not readable and not value.startswith(OPENING) and "," not in value:
                value = "'" + value.strip().replace("'", "\\'") + "'"
            elif function is None or function.group() == "choice(":
                value = (IN_A_MAPPING if value.startswith("{") else NUMBER_LIKE).sub(_quoted, value)
        found.append(f"{key}{equals}{value}")
    return found


def refuse_swept_out(arguments: Sequence[str]) -> None:
    """Raise if a sweep has several folders ``out``: each run has one of its own in the one that is given.

    Raises:
        EchoAugmentError: with the folders as typed.
    """
    if not {"-m", "--multirun"} & set(arguments):
        return
    for argument in arguments:
        if argument.lstrip("+").startswith("out="):
            try:
                swept = OverridesParser.create().parse_override(argument).is_sweep_override()
            except HydraException:  # Hydra's own error follows
                continue
            if swept:
                raise EchoAugmentError(
                    f"{argument}: the runs of a sweep go to folders of their own in one out, out/0, out/1, ...",
                    "Give one out=FOLDER",
                )


def _quoted(found: re.Match[str]) -> str:
    return found["quoted"] or f"'{found['number'].strip()}'"


def _as_text(part: str) -> str:
    """Return a part of a list in quotes."""
    part = part.strip()
    return part if re.fullmatch(QUOTED, part) else "'" + part.replace("'", "\\'") + "'"


def _is_readable(argument: str) -> bool:
    """Return whether Hydra's grammar takes an argument."""
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True


def _takes_text(kind: Any, keys: Sequence[str]) -> bool:
    """Return whether a setting is a text, a list of texts or a mapping of texts, and never a number.

    Args:
        kind: type of the settings.
        keys: groups and name of the setting.
    """
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not keys:
            return False
        if keys[0] == "arm" and len(keys) == 3:
            return keys[2] in ARM_TEXTS
        marked = any(one.name == keys[0] and one.metadata.get("text") for one in dataclasses.fields(kind))
        return (marked and len(keys) == 1) or _takes_text(get_type_hints(kind).get(keys[0]), keys[1:])
    if get_origin(kind) is dict:
        return len(keys) <= 1 and get_args(kind)[1] is str
    if get_origin(kind) is list:
        return not keys and get_args(kind)[0] is str
    kinds = set(get_args(kind)) - {type(None)} or {kind}
    return not keys and (
        kinds == {str}
        or (len(kinds) == 1 and get_origin(next(iter(kinds))) is list and _takes_text(next(iter(kinds)), keys))
    )
