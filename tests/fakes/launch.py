"""Two processes that work together on CPUs, as ``accelerate launch`` starts them; here each can be killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def start(folder: Path, *arguments: str, world: int = 2) -> list[subprocess.Popen]:
    """Start a job in ``world`` processes; what rank ``k`` prints goes to ``folder/rank-<k>.log``."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "echo_augment.training_recipes", *arguments]
    started = []
    for rank in range(world):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world, "MASTER_PORT": port}
        environment = os.environ | {key: str(value) for key, value in place.items()}
        environment |= {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}
        with (folder / f"rank-{rank}.log").open("a") as log:
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT))
    return started


def finish(folder: Path, *arguments: str, seconds: float = 900) -> None:
    """Run a job in two processes to its end."""
    processes = start(folder, *arguments)
    deadline = time.monotonic() + seconds
    try:
        ends = [process.wait(max(1.0, deadline - time.monotonic())) for process in processes]
    finally:
        kill(processes)
    assert ends == [0, 0], (folder / f"rank-{ends.index(max(ends, key=abs))}.log").read_text()[-4000:]


def kill(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


def kill_when(folder: Path, ready: Callable[[], bool], *arguments: str, seconds: float = 900) -> None:
    """Start a job in two processes and kill both, in the middle of their work, as soon as ``ready``."""
    processes = start(folder, *arguments)
    deadline = time.monotonic() + seconds
    try:
        while not ready() and time.monotonic() < deadline:
            assert all(process.poll() is None for process in processes), (folder / "rank-0.log").read_text()[-4000:]
            time.sleep(0.02)
    finally:
        kill(processes)
    assert ready() and [process.returncode for process in processes] == [-signal.SIGKILL] * 2
