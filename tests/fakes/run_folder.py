"""Folders of runs as the jobs leave them, small and by hand."""

import json
from pathlib import Path
from typing import Any

import yaml


class Run:
    """A folder of a run.

    Args:
        folder: where it is.
        job: name of the job, as Hydra keeps it.
        settings: of the job.
    """

    def __init__(self, folder: Path, job: str = "", **settings: Any) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if job:
            self.write(".hydra/config.yaml", yaml.safe_dump({"out": str(folder), **settings}))
            self.write(
                ".hydra/hydra.yaml", yaml.safe_dump({"hydra": {"job": {"config_name": job, "x": "${nowhere:1}"}}})
            )

    def write(self, name: str, content: Any) -> Path:
        """Write a file, JSON unless it is text."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def training(self, name: str, *, step: int, steps: int | None = 100, done: bool = False) -> None:
        """Write a training that has logged so many steps, at 2 s a step."""
        self.write(f"{name}/settings.json", {"key": "k", "trainer": {"steps": steps}})
        if step:
            self.write(
                f"{name}/fit.csv", f"step,loss,lr,s\n{step},0.5,0.1,{2 * step}\n9"
            )  # a line that is being written
        if done:
            self.write(f"{name}/result.json", {"seconds": 200.0})


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    """All files of a folder, with content and time."""
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
