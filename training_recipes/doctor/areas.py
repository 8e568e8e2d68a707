"""The areas of ``doctor`` that are looked at and not timed: machine, data set, cache, generator."""

import importlib
import json
import platform
import shutil
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from echo_augment.augmentor.data.checkup import WARNINGS, check_dataset
from echo_augment.augmentor.data.records import VideoInfo
from echo_augment.augmentor.data.splits import is_unseen
from echo_augment.augmentor.data.table import read_table
from echo_augment.cache.arguments import HUB_ID
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue
from echo_augment.cache.system.processes import usable_cores
from echo_augment.cache.system.progress import follow

from ..common.dataset import FolderSettings
from ..common.reporting import versions
from .findings import ERROR, WARNING, Finding

GIGABYTE = 1e9
LITTLE_DISK, LITTLE_SHARED = 10 * GIGABYTE, 1 * GIGABYTE
PICKLED = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})


def machine(out: Path) -> tuple[dict[str, JsonValue], list[Finding]]:
    """Python, packages, devices, cores, disk and shared memory."""
    findings = []

    def add(level: str, kind: str, message: str, remedy: str) -> None:
        findings.append(Finding(level, "machine", kind, message, remedy))

    for package, remedy in (
        ("torchvision", "Install the torch and torchvision of one release: pip install --upgrade torch torchvision"),
        ("hdf5plugin", "pip install hdf5plugin; caches are compressed with its LZ4"),
        ("av", "pip install av; videos are read with it"),
        ("cv2", "pip install opencv-python-headless"),
    ):
        try:
            importlib.import_module(package)
        except (ImportError, RuntimeError, OSError) as error:
            add(ERROR, "package", f"{package} cannot be imported ({error})", remedy)
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if not devices:
        add(WARNING, "device", "no CUDA device", "Training a generator on a CPU takes hours; the demo takes minutes")
    folder = next(parent for parent in (out.absolute(), *out.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    if free < LITTLE_DISK:
        add(WARNING, "disk", f"{folder}: {free / GIGABYTE:.1f} GB are free", "A cache takes about 0.4 MB a clip")
    facts: dict[str, JsonValue] = {
        "system": platform.platform(),
        "versions": versions(),
        "cuda": torch.version.cuda if devices else None,
        "devices": devices,
        "cores": usable_cores(),
        "disk_free_gb": free / GIGABYTE,
    }
    shared = Path("/dev/shm")
    if shared.is_dir():
        facts["shared_memory_gb"] = shutil.disk_usage(shared).total / GIGABYTE
        if shutil.disk_usage(shared).total < LITTLE_SHARED:
            text = f"{shared} holds {facts['shared_memory_gb']:.2f} GB, too little for DataLoader workers"
            add(WARNING, "shared memory", text, "In a container give more, for instance --shm-size=8g")
    return facts, findings


def dataset(root: str, data: FolderSettings, *, decode: bool) -> tuple[dict[str, JsonValue], list[Finding]]:
    """A data set's folder."""

    def progress(rows: list[VideoInfo]) -> Iterable[VideoInfo]:
        return follow(rows, "opening videos", unit="video")

    checkup = check_dataset(
        root, decode=decode, ef_unit=data.ef_unit, follow_links=data.follow_links, progress=progress
    )
    facts = checkup.facts.to_json() if checkup.facts else {}
    found = [(WARNING if one.kind in WARNINGS else ERROR, one) for one in checkup.problems]
    return {"root": str(root), **facts}, [Finding(how, "data", one.kind, one.message, one.remedy) for how, one in found]


def cache(folder: str, data: FolderSettings) -> tuple[dict[str, JsonValue], list[Finding]]:
    """A cache: opens it, reads three clips, and looks for the data set's held-out videos among its donors."""
    from echo_augment.augmentor import CachedClips

    facts: dict[str, JsonValue] = {"folder": str(folder)}
    try:
        clips = CachedClips(folder)
        facts |= {"clips": len(clips), "fingerprint": clips.fingerprint, "donors": len(clips.donors)}
        if len(clips) == 0:
            raise EchoAugmentError(f"{folder}: the cache has no sealed clip", "Fill it with: echo-augment fill-cache")
        for index in sorted({0, len(clips) // 2, len(clips) - 1}):
            clips[index]
        rows = [] if data.root is None else read_table(data.root, ef_unit="percent").rows  # whatever it is
        leaked = sorted({row.name for row in rows if is_unseen(row.split)} & clips.donors)
    except EchoAugmentError as error:
        return facts, [Finding(ERROR, "cache", "broken", error.message, error.remedy)]
    if leaked:
        message = f"{folder}: {len(leaked)} donors are VAL or TEST videos of {data.root}: {', '.join(leaked[:3])}"
        return facts, [Finding(ERROR, "cache", "leak", message, "Fill a new cache with donors of TRAIN only")]
    return facts, []


def generator(folder: str) -> tuple[dict[str, JsonValue], list[Finding]]:
    """A generator: a diffusers folder whose components are there, whose weights can be read, and one of ours loads."""
    from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline

    findings: list[Finding] = []

    def add(level: str, kind: str, message: str, remedy: str) -> None:
        findings.append(Finding(level, "generator", kind, message, remedy))

    try:
        path = generator_folder(folder)
    except EchoAugmentError as error:
        add(ERROR, "folder", error.message, error.remedy)
        return {"folder": folder}, findings
    facts: dict[str, JsonValue] = {"folder": str(path)}
    index = path / "model_index.json"
    if not index.is_file():
        what = "there is no such folder" if not path.is_dir() else "has no model_index.json"
        remedy = "Give the folder that train-generator or save_pretrained wrote, a Hub id, or bundled"
        inner = path / "generator"
        add(ERROR, "folder", f"{path}: {what}", f"Give {inner}" if (inner / "model_index.json").is_file() else remedy)
        return facts, findings
    for file in sorted(path.rglob("*.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            add(ERROR, "json", f"{file}: is not JSON ({error})", "Copy the generator again")
            continue
        if file == index and isinstance(content, dict):
            parts = [name for name, value in content.items() if _is_component(value)]
            facts |= {"pipeline": content.get("_class_name"), "components": parts}
            for name in parts:
                if not (path / name).is_dir():
                    add(ERROR, "component", f"{path}: component {name} is not there", "Copy the generator again")
    total = 0
    for file in sorted(path.rglob("*.safetensors")):
        try:
            with safe_open(str(file), framework="pt") as weights:
                for key in weights.keys():  # noqa: SIM118  a safetensors handle is no dict
                    tensor = weights.get_tensor(key)
                    total += tensor.numel()
                    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                        add(ERROR, "weights", f"{file}: tensor {key} holds NaN or infinity", "Train or copy it again")
        except (SafetensorError, OSError) as error:
            add(ERROR, "weights", f"{file}: cannot be read ({error})", "Copy the generator again")
    if total == 0:
        add(ERROR, "weights", f"{path}: holds no weights (*.safetensors)", "Copy the generator again")
    for file in sorted(item for item in path.rglob("*") if item.suffix in PICKLED):
        add(WARNING, "pickle", f"{file}: is a pickle and is never loaded", "Delete it; weights are safetensors")
    if not findings and facts.get("pipeline") in (None, MCDMPipeline.__name__):
        try:
            MCDMPipeline.load(str(path))
        except EchoAugmentError as error:
            add(ERROR, "loading", error.message, error.remedy)
    return {**facts, "parameters": total}, findings


def generator_folder(name: str) -> Path:
    """Return the folder of a generator: given, in this package, or from the Hub; its refusal is an EchoAugmentError."""
    from echo_augment.augmentor.mcdm.pipeline import BUNDLED, MCDMPipeline

    if name == "bundled":
        return BUNDLED
    if Path(name).exists() or not HUB_ID.fullmatch(name):
        return Path(name)
    try:
        return Path(MCDMPipeline.download(name))
    except (OSError, ValueError) as error:  # huggingface_hub's own errors are of these kinds
        first = str(error).strip().splitlines()[0]
        raise EchoAugmentError(
            f"{name}: there is no such folder, and the Hub does not give it ({first})",
            "Give the folder that train-generator or save_pretrained wrote, a Hub id, or bundled",
        ) from None


def _is_component(value: object) -> bool:
    """Return whether a value of ``model_index.json`` names library and class; settings may be lists, too."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(one, str) for one in value)
        and value[1].isidentifier()
        and all(part.isidentifier() for part in value[0].split("."))
    )
