"""What a platform may lack is hidden, and the package still imports, fills, locks and reads."""

import subprocess
import sys

HIDE = """
import multiprocessing.context, os, pkgutil, signal, sys
import h5py, hdf5plugin, torch, hydra, accelerate, diffusers, albumentations, av, cv2, torchvision, PIL, scipy
import multiprocessing.forkserver, multiprocessing.popen_spawn_posix, multiprocessing.util, tempfile, subprocess
for name in ("sched_getaffinity", "fork", "register_at_fork", "nice", "pread", "getloadavg", "waitid", "getuid",
             "killpg", "posix_fallocate"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGUSR1", "SIGUSR2", "SIGSTOP", "SIGCONT", "SIGHUP", "SIGALRM", "SIGKILL"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("fork", "forkserver"):
    multiprocessing.context._concrete_contexts.pop(name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
os.supports_fd = set()
torch.multiprocessing.get_all_start_methods = lambda: ["spawn"]
"""
USE = """
import importlib, time
import echo_augment
loaded = 0
for floor in ("cache", "augmentor", "training_recipes", "evaluation"):
    package = importlib.import_module(f"echo_augment.{floor}")
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            loaded += 1
assert loaded > 100, loaded
import numpy as np, pathlib
from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, fill, make_plan
from echo_augment.cache.system import limits, locks, processes
locks.HEARTBEAT_SECONDS = 0.02
folder = pathlib.Path(sys.argv[1])
def generate(lines):
    return [EchoClip(line.clip_id, np.zeros((2, 8, 8), np.uint8), fps=25) for line in lines]
summary = fill(make_plan({"a": 50.0, "b": 60.0}, ["a", "b"], n=3), generate, folder, progress=False)
assert summary.complete and len(list(ClipStore(folder))) == 3
assert processes.usable_cores() == os.cpu_count() and limits.open_file_limit() is None
with locks.hold(folder):
    os.utime(locks.lock_path(folder), (0, 0))
    time.sleep(0.2)
    assert locks.lock_path(folder).stat().st_mtime > 0, "the heart stands still"
    try:
        with locks.hold(folder):
            raise SystemExit("two writers")
    except EchoAugmentError as error:
        assert "another process writes" in str(error)
from echo_augment.augmentor import LiveClips
lines = make_plan({"a": 50.0}, ["a"], n=1).lines
try:
    LiveClips(generate, lines, start_method="fork")
except EchoAugmentError as error:
    assert "start_method must be one of spawn" in str(error), error
else:
    raise SystemExit("fork was taken")
print("fine")
"""


def test_the_package_works_without_what_only_some_systems_have(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", HIDE + USE, str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("fine")
