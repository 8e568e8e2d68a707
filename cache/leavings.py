"""What a killed writer leaves behind."""

import socket
from pathlib import Path

from .manifest import SHARDS
from .processes import alive
from .shard_writer import TEMPORARY


def clear_leavings(folder: Path) -> None:
    """Remove unsealed files of processes of this machine that are dead."""
    for path in (Path(folder) / SHARDS).glob(f".clips-*{TEMPORARY}"):
        host, _, rest = path.name.removeprefix(".clips-").rpartition("-")[0].rpartition("-")
        if host == socket.gethostname() and rest.isdigit() and not alive(int(rest)):
            path.unlink(missing_ok=True)
