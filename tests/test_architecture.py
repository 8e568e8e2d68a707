"""The plan of the house, read from the code itself: floors, the rooms of each, sizes, and what may cross a wall."""

import ast
import re
import statistics
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {"cache": 1, "augmentor": 2, "training_recipes": 3, "evaluation": 4}
PACKAGE = ROOT / "package"  # installs as echo_augment itself
FILES = sorted(path for folder in FLOORS for path in (ROOT / folder).rglob("*.py"))
MODULES = [path for path in FILES if path.stem not in ("__init__", "__main__")]

REST = "the rest"  # modules of the floor's own folder that no room names
ROOMS = {
    "cache": [("errors", "arguments"), ("system",), ("clip",), ("shard",), (REST,)],
    "augmentor": [
        ("devices", "workers", "wrapping", "video_format", "predictors", "tempo"),
        ("data",),
        ("data.phantom",),
        ("data.importers",),
        ("mcdm.mafe",),
        ("mcdm",),
        ("sources",),
        (REST,),
    ],
    "training_recipes": [
        ("conf",),
        ("common",),
        ("arms",),
        ("training",),
        ("ef",),
        ("segmentation",),
        ("filling",),
        ("gallery",),
        ("judging",),
        ("generator",),
        ("doctor",),
        ("jobs",),
        ("cli", REST),
    ],
    "evaluation": [
        ("statistics",),
        ("report",),
        ("benchmark",),
        ("published",),
        ("fidelity",),
        ("speed",),
        ("studies",),
        ("status",),
    ],
}
"""The rooms of each floor, bottom first: a room imports from those before it, and from its own."""

MOST_MODULES, MOST_LINES, FEW_LINES, SHARE_OF_SHORT, MEDIAN = 18, 330, 50, 0.08, (110, 220)
MOST_OPEN_MAPPINGS = 40


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def dotted(path: Path) -> str:
    """Return the name under which a file of the checkout is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["echo_augment", *parts]).removesuffix(".__init__").replace("echo_augment.package", "echo_augment")


KNOWN = {dotted(path) for path in FILES}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield ``(module, name, bound name)`` of each import of ours; the name is empty for ``import module``."""
    package = dotted(path).split(".")
    package = package if path.stem == "__init__" else package[:-1]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found = [(alias.name, "", alias.asname or alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found = [(module, alias.name, alias.asname or alias.name) for alias in node.names]
        else:
            continue
        yield from (one for one in found if one[0].split(".")[0] == "echo_augment")


def imported_modules(path: Path) -> set[str]:
    """Return the modules of ours that a file imports from, submodules by their own name."""
    return {full if (full := f"{module}.{name}") in KNOWN else module for module, name, _ in imports(path)}


def imported_floors(path: Path) -> set[str]:
    names = [f"{module}.{name}".split(".") for module, name, _ in imports(path)]
    return {parts[1] for parts in names if len(parts) > 1 and parts[1]}


def room(module: str) -> tuple[str, int]:
    """Return the floor of a module and the place of its room there."""
    floor, _, inner = module.removeprefix("echo_augment.").partition(".")
    best, place = "", None
    for number, names in enumerate(ROOMS[floor]):
        for name in names:
            if (inner == name or inner.startswith(f"{name}.")) and len(name) > len(best):
                best, place = name, number
    if place is None:
        place = next((number for number, names in enumerate(ROOMS[floor]) if REST in names), len(ROOMS[floor]))
    return floor, place


def breaches(path: Path) -> set[str]:
    """Return what a file imports from a room above its own on its own floor."""
    floor, place = room(dotted(path))
    inner = {name for name in imported_modules(path) if name.startswith(f"echo_augment.{floor}")}
    return {name for name in inner if room(name)[1] > place}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_between_floors_go_down_only(path: Path):
    own = FLOORS[path.relative_to(ROOT).parts[0]]
    upward = {name for name in imported_floors(path) if FLOORS.get(name, 99) > own}
    assert not upward, f"{relative(path)} is on floor {own} and imports {upward}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_between_rooms_go_down_only(path: Path):
    assert not breaches(path), f"{relative(path)} imports from a room above its own"


@pytest.mark.parametrize("floor", FLOORS)
def test_every_room_is_there_and_every_folder_is_a_room(floor):
    there = {path.name for path in (ROOT / floor).iterdir() if path.is_dir() and path.name != "__pycache__"}
    named = {name for names in ROOMS[floor] for name in names if name != REST}
    assert there <= named
    assert all(
        (ROOT / floor / name.replace(".", "/")).is_dir() or (ROOT / floor / f"{name}.py").is_file() for name in named
    )


def test_the_checks_see_relative_and_absolute_imports(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    file = tmp_path / "cache" / "system" / "bad.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "from echo_augment.evaluation import x\nimport echo_augment.augmentor.data\nfrom ..shard import table\n"
        "from . import files\nfrom ..errors import EchoAugmentError\n"
    )
    assert imported_floors(file) == {"evaluation", "augmentor", "cache"}
    assert breaches(file) == {"echo_augment.cache.shard.table"}


def test_every_folder_with_code_is_packaged():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(config["tool"]["setuptools"]["packages"])
    there = {".".join(["echo_augment", *path.parent.relative_to(ROOT).parts]) for path in FILES}
    assert there | {"echo_augment"} == listed
    assert [path.name for path in PACKAGE.rglob("*.py")] == ["__init__.py"]


def test_the_root_imports_nothing_until_a_name_is_used():
    body = parsed(PACKAGE / "__init__.py").body
    first = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {node.module for node in first if isinstance(node, ast.ImportFrom)} == {"importlib", "typing"}
    assert all(isinstance(node, ast.ImportFrom) for node in first)


# ---------------------------------------------------------------------------------------------------- tests
def place_of_tests(path: Path) -> Path:
    """Return where the tests of a module lie: at its own path under ``tests/``."""
    return ROOT / "tests" / path.relative_to(ROOT).with_name(f"test_{path.name}")


@pytest.mark.parametrize("floor", FLOORS)
def test_every_module_has_a_test_beside_its_path(floor):
    modules = [path for path in MODULES if path.relative_to(ROOT).parts[0] == floor]
    assert modules and [relative(path) for path in modules if not place_of_tests(path).is_file()] == []


# ---------------------------------------------------------------------------------------------------- sizes
def lengths() -> dict[str, int]:
    return {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}


def test_no_folder_holds_more_modules_than_one_can_survey():
    folders = {path.parent for path in MODULES}
    counts = {relative(folder): sum(path.parent == folder for path in MODULES) for folder in folders}
    assert {name: count for name, count in counts.items() if count > MOST_MODULES} == {}


def test_no_module_is_too_long():
    assert {name: lines for name, lines in lengths().items() if lines > MOST_LINES} == {}


def test_few_modules_are_short_and_the_median_is_readable():
    found = lengths()
    short = sorted(name for name, lines in found.items() if lines <= FEW_LINES)
    assert len(short) <= SHARE_OF_SHORT * len(found), short
    assert MEDIAN[0] <= statistics.median(found.values()) <= MEDIAN[1]


# ---------------------------------------------------------------------------------------------------- walls
def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def private_uses(path: Path) -> set[str]:
    """Return the private names of other modules that a file imports or reaches through an imported module."""
    used, modules = set(), set()
    for module, name, bound in imports(path):
        used |= {part for part in [*module.split("."), name] if is_private(part)}
        if not name or f"{module}.{name}" in KNOWN:
            modules.add(bound)
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            used |= {f"{node.value.id}.{node.attr}"} if is_private(node.attr) else set()
    return used


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_module_uses_a_private_name_of_another(path: Path):
    assert private_uses(path) == set()


MAPPINGS = {"dict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict"}


def is_open_mapping(node: ast.AST) -> bool:
    """Whether a type says that keys are text but not what is inside: ``dict[str, Any]`` and its kin."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Tuple) or len(node.slice.elts) != 2:
        return False
    return ast.unparse(node.value).split(".")[-1] in MAPPINGS and bool(
        re.search(r"\b(Any|object)$", ast.unparse(node.slice.elts[1]).strip("'\""))
    )


def types_in(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree and the types in it that are written as text."""
    for node in ast.walk(tree):
        yield node
        given = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "cast":
            given.append(node.args[0])
        for text in given:
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield from ast.walk(ast.parse(text.value, mode="eval"))


def open_mappings(paths: list[Path]) -> dict[str, int]:
    """Count open mappings a file; a name that stands for one counts at each place that uses it."""
    trees = {path: parsed(path) for path in paths}
    aliases = set()
    for tree in trees.values():
        for node in tree.body:
            value = getattr(node, "value", None)
            targets = getattr(node, "targets", None) or [getattr(node, "target", getattr(node, "name", None))]
            is_type = isinstance(node, ast.Assign | ast.AnnAssign) or type(node).__name__ == "TypeAlias"
            if is_type and value is not None and any(is_open_mapping(part) for part in type_parts(value)):
                aliases |= {target.id for target in targets if isinstance(target, ast.Name)}
    counts = {}
    for path, tree in trees.items():
        found = sum(is_open_mapping(node) or is_alias(node, aliases) for node in types_in(tree))
        if found:
            counts[path.as_posix()] = found
    return counts


def is_alias(node: ast.AST, aliases: set[str]) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in aliases


def type_parts(value: ast.AST) -> list[ast.AST]:
    """Return a type and what it is a union of; nothing of a call or a literal."""
    if isinstance(value, ast.BinOp):
        return [*type_parts(value.left), *type_parts(value.right)]
    return [value] if isinstance(value, ast.Subscript) else []


def test_types_say_what_is_inside():
    counts = open_mappings([*FILES, PACKAGE / "__init__.py"])
    assert sum(counts.values()) <= MOST_OPEN_MAPPINGS, counts


def test_the_count_sees_aliases_text_and_other_mappings(tmp_path):
    file = tmp_path / "bad.py"
    file.write_text(
        "Json = dict[str, Any]\n"
        "def read(a: Json, b: 'Mapping[str, Any]') -> MutableMapping[str, object] | None: ...\n"
        "rows: list[dict[str, typing.Any]] = []\n"
        "good: dict[str, float] = {}\n"
    )
    assert open_mappings([file]) == {file.as_posix(): 5}
