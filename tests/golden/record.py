"""Writes the golden files from the code as it is: ``python tests/golden/record.py [configs keys plans ...]``.

Only where a change of behaviour is meant; the difference in ``data/`` then shows, in review, what has changed.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import commands
import frozen
import reports


def configs(work: Path) -> None:
    shutil.rmtree(frozen.CONFIGS, ignore_errors=True)
    frozen.CONFIGS.mkdir(parents=True)
    for path in sorted(commands.in_child("configs", work).glob("*.yaml")):
        shutil.copy(path, frozen.CONFIGS / path.name)


def names(work: Path) -> None:
    shutil.copy(Path(__file__).parents[1] / "public_names.txt", frozen.DATA / "public_names.txt")


def shards(work: Path) -> None:
    found = {one: frozen.describe(frozen.seal(work / one, one)) for one in frozen.COMPRESSIONS}
    frozen.write(frozen.DATA / "shards.json", {"libraries": frozen.libraries(), "shards": found})


def store(work: Path) -> None:
    """The shard that must stay readable for ever; written once."""
    if not frozen.SHARD.exists():
        frozen.seal(frozen.SHARD, "none")
    shutil.copytree(frozen.SHARD, work / "store")
    facts = frozen.describe(work / "store")
    frozen.write(frozen.DATA / "store.json", {key: facts[key] for key in ("stored", "rows", "clips")})


def keys(work: Path) -> None:
    frozen.write_folder()
    frozen.write(frozen.DATA / "keys.json", frozen.keys(frozen.CONFIGS, work))


def plans(work: Path) -> None:
    frozen.write(frozen.DATA / "plans.json", {name: frozen.plan(name) for name in frozen.PLANS})


def mixes(work: Path) -> None:
    frozen.write(frozen.DATA / "mixes.json", {name: frozen.mix(name) for name in frozen.MIXES})


def generated(work: Path) -> None:
    frozen.write(frozen.DATA / "generated.json", frozen.generated())


def jobs(work: Path) -> None:
    commands.in_child("jobs", work)
    done = frozen.read(work / "jobs.json")
    shutil.rmtree(frozen.REPORTS, ignore_errors=True)
    for name, _ in commands.job_commands(work):
        frozen.write(frozen.REPORTS / f"{name}.json", reports.read_report(work, name))
    frozen.write(frozen.DATA / "exits.json", {name: one["exit"] for name, one in done.items()})
    frozen.write(frozen.DATA / "layout.json", {name: frozen.layout(work / name) for name in commands.LAID_OUT})
    shutil.copy(work / "line.json", frozen.DATA / "line.json")
    fill = frozen.ClipStore(work / commands.CACHE).fingerprint
    frozen.write(frozen.DATA / "fingerprints.json", frozen.fingerprints(fill))


PARTS: dict[str, Callable[[Path], None]] = {
    part.__name__: part for part in (configs, names, shards, store, keys, plans, mixes, generated, jobs)
}  # keys need configs and store

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[part](Path(folder))
        print(f"written: {part}")
