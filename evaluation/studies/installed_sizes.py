"""What PyTorch, the rest of the core and each extra take on the disk, as they are installed here.

    python -m echo_augment.evaluation.studies.installed_sizes

prints the table whose figures stand in ``docs/get-started/install.md``. An extra's row is what it adds to the core and
to the extras that it takes in; one that lacks a package here is not measured.
"""

import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.common.text import markdown_table

PACKAGE, TORCH = "echo-augment", "torch"
MEGABYTE = 1e6


def needed(name: str, extras: Iterable[str] = ()) -> set[str]:
    """Return the names of a distribution and of all that it needs here, with these extras.

    Raises:
        EchoAugmentError: one of them is not installed.
    """
    found: set[str] = set()
    asked: list[tuple[str, frozenset[str]]] = [(canonicalize_name(name), frozenset(extras))]
    seen = set(asked)
    while asked:
        one, wanted = asked.pop()
        try:
            lines = distribution(one).requires or []
        except PackageNotFoundError:
            raise EchoAugmentError(
                f"{one} is not installed", f'pip install ".[{",".join(extras) or "recipes"}]"'
            ) from None
        found.add(one)
        for line in lines:
            need = Requirement(line)
            if need.marker is not None and not any(need.marker.evaluate({"extra": extra}) for extra in {"", *wanted}):
                continue
            entry = (canonicalize_name(need.name), frozenset(need.extras))
            if entry not in seen:
                seen.add(entry)
                asked.append(entry)
    return found


def size(names: Iterable[str]) -> int:
    """Return the bytes of the files of distributions, as far as they are there; compiled modules count."""
    paths = {Path(str(path.locate())) for name in names for path in distribution(name).files or ()}
    return sum(path.stat().st_size for path in paths if path.is_file())


def sizes(extras: Sequence[str]) -> dict[str, int | None]:
    """Return bytes by part: PyTorch with what it needs, the rest of the core, and each extra; None: not all installed.

    Args:
        extras: names of extras, in the order of the table.
    """
    torch, core = needed(TORCH), needed(PACKAGE)
    whole = {extra: names for extra in extras if (names := _whole(extra)) is not None}
    found: dict[str, int | None] = {TORCH: size(torch), "the rest of the core": size(core - torch - {PACKAGE})}
    for extra in extras:
        smaller = [one for one in whole.values() if extra in whole and one < whole[extra]]
        found[extra] = size(whole[extra] - core.union(*smaller)) if extra in whole else None
    return found


def _whole(extra: str) -> set[str] | None:
    """What the package with an extra needs; None if not all is installed."""
    try:
        return needed(PACKAGE, [extra])
    except EchoAugmentError:
        return None


def main() -> int:
    """Print the table of the extras that the installed package declares; return the exit code."""
    try:
        needed(PACKAGE)
    except EchoAugmentError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    extras = distribution(PACKAGE).metadata.get_all("Provides-Extra") or []
    rows = [[part, "" if one is None else f"{one / MEGABYTE:.0f}"] for part, one in sizes(extras).items()]
    print(markdown_table(["part", "MB"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
