"""What a run leaves in its folder besides results: three lines that say what it is, and a sign that it runs."""

import shlex
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from os import getpid
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path
from echo_augment.cache.system.locks import FolderLock, Holder, holder_of

README = "README.txt"
HYDRA = ".hydra"
MARK = "A folder of echo-augment"
SIGN = "running-*.lock"


def is_ours(path: Path) -> bool:
    """Return whether a file is the ``README.txt`` of a run, and not one of the user's."""
    try:
        return path.name == README and path.read_bytes().startswith(MARK.encode())
    except OSError:
        return False


def write_readme(out: Path, job: str, arguments: Sequence[str]) -> None:
    """Say in three lines of ``<out>/README.txt`` what the folder is; a file of the user's of this name stays.

    Args:
        out: folder of the run.
        job: its name.
        arguments: the job's, as typed.
    """
    path = out / README
    if path.exists() and not is_ours(path):
        return
    begun, command = time.strftime("%Y-%m-%d %H:%M"), shlex.join(["echo-augment", job, *arguments])
    status = shlex.join(["echo-augment", "status", f"out={out}"])
    text = (
        f"{MARK} {version('echo-augment')}: {job}, begun {begun}.\n"
        f"Made by: {command}\n"
        f"How far it is: {status}; the same command goes on where it stopped; report.json holds what was found.\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def shown_running(out: Path) -> Iterator[None]:
    """Let `running` see this process while it works in a folder; a folder that takes no such sign goes without."""
    path = out / HYDRA / SIGN.replace("*", f"{socket.gethostname()}-{getpid()}")
    with ExitStack() as signs:
        with suppress(EchoAugmentError, OSError):
            signs.enter_context(FolderLock(path))
            signs.callback(path.unlink, missing_ok=True)
        yield


def running(out: Path) -> list[Holder]:
    """Return the processes that work in a folder now, the longest first; nothing is written for that.

    A process that was killed is not among them: at once on its own machine, after three minutes on another.
    """
    found = [holder for path in (out / HYDRA).glob(SIGN) if (holder := holder_of(path)) is not None]
    return sorted(found, key=lambda holder: (holder.since, str(holder.pid)))
