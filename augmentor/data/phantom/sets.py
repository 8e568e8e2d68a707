"""A set of phantoms: which hearts, how they are recorded and split, what its folder says of it, and reading it back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from echo_augment.cache.arguments import check_choice, check_number, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue, write_json

from .patients import draw_recording
from .sampling import FORMAT, FORMATS, Phantom, check_kind, phantom_name, sample_phantom

SPLITS = ("TRAIN", "VAL", "TEST")
SEEDS_PER_SET = 1_000_000
MOST_FPS = 1e4
RESERVED = range(800, 1000)  # sets on which fidelity and its EF reader judge generators
RECORDINGS = ("fixed", "table")
SETTINGS = "phantom_settings.json"


def phantom_seeds(n: int, seed: int) -> range:
    """Return the seeds of the ``n`` phantoms of set ``seed``: sets of different seeds share no heart.

    Raises:
        EchoAugmentError: ``n`` or ``seed`` is out of range, or the set is reserved.
    """
    check_whole("n", n, 1, SEEDS_PER_SET)
    check_whole("seed", seed)
    if seed in RESERVED:
        raise EchoAugmentError(f"the phantoms of set {seed} judge generators", "Take a seed below 800 or above 999")
    return range(seed * SEEDS_PER_SET, seed * SEEDS_PER_SET + n)


def assign_splits(n: int, seed: int, splits: Sequence[float]) -> list[str]:
    """Return ``TRAIN``, ``VAL`` or ``TEST`` for each of ``n`` clips, in the shares ``splits``; a pure function.

    Raises:
        EchoAugmentError: ``splits`` are not three shares that sum to 1.
    """
    if len(splits) != 3 or min(splits) < 0 or abs(sum(splits) - 1) > 1e-6:
        raise EchoAugmentError(f"splits must be three shares (train, val, test) that sum to 1, got {tuple(splits)}")
    edges = np.round(np.cumsum(splits) * n).astype(int)
    names = np.repeat(SPLITS, np.diff(np.concatenate([[0], edges[:2], [n]])))
    order = np.random.default_rng([seed, 17]).permutation(n)
    result = np.empty(n, dtype=names.dtype)
    result[order] = names
    return [str(name) for name in result]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomSet:
    """The arguments of `write_phantoms` that decide what a set holds; they stand in ``phantom_settings.json``.

    Attributes:
        n: phantoms.
        seed: number of the set.
        frames: frames of a clip, where ``recording`` is ``fixed``.
        fps: frames per second, likewise.
        splits: shares of TRAIN, VAL and TEST.
        format: of the hearts, 2 or 3.
        population: ``A`` or ``B``.
        recording: ``fixed``, or ``table`` for frame rates and lengths as in EchoNet-Dynamic.
        label_noise: standard deviation of the error of TRAIN's and VAL's EF, in points.
    """

    n: int
    seed: int = 0
    frames: int = 100
    fps: float = 50
    splits: tuple[float, ...] = (0.75, 0.125, 0.125)
    format: int = FORMAT
    population: str = "A"
    recording: str = "fixed"
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        check_whole("num_frames", self.frames, 2)
        check_number("fps", self.fps, 0, MOST_FPS, above_low=True)
        check_kind(self.format, self.population)
        check_choice("recording", self.recording, RECORDINGS)
        check_number("label_noise", self.label_noise, 0, 50)

    @property
    def seeds(self) -> range:
        """Seeds of its hearts."""
        return phantom_seeds(self.n, self.seed)

    @property
    def names_of_splits(self) -> list[str]:
        """The split of each heart."""
        return assign_splits(self.n, self.seed, self.splits)

    def name(self, seed: int) -> str:
        """Return the name of the heart of ``seed``."""
        return phantom_name(seed, self.population)

    def heart(self, seed: int) -> Phantom:
        """Return the heart of ``seed``."""
        return sample_phantom(seed, format=self.format, population=self.population)

    def recorded(self, seed: int) -> tuple[int, float]:
        """Return the frames and the frames per second of the video of ``seed``."""
        if self.recording == "fixed":
            return self.frames, self.fps
        return draw_recording(np.random.default_rng([seed, 6]))

    def noisy_ef(self, seed: int, ef: float) -> float:
        """Return an EF in percent with the error that a reader of ``seed``'s video would make."""
        error = float(np.random.default_rng([seed, 7]).standard_normal()) * self.label_noise
        return min(max(ef + error, 1.0), 99.0) if self.label_noise else ef

    def to_json(self) -> dict[str, JsonValue]:
        """Return the settings; those that came with format 3 only where they differ from what was before."""
        found: dict[str, JsonValue] = {"n": self.n, "seed": self.seed, "frames": self.frames, "fps": self.fps}
        found |= {"splits": [float(share) for share in self.splits], "format": self.format}
        later = {"population": "A", "recording": "fixed", "label_noise": 0.0}
        return found | {name: getattr(self, name) for name, old in later.items() if getattr(self, name) != old}


def claim(root: Path, settings: PhantomSet) -> None:
    """Mark ``root`` as the folder of this set before anything else is written there.

    Raises:
        EchoAugmentError: ``root`` holds another set or another dataset.
    """
    path = root / SETTINGS
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != settings.to_json():
            raise EchoAugmentError(f"{root}: holds phantoms of other settings, {found}", "Choose another folder")
    elif (root / "FileList.csv").exists():
        raise EchoAugmentError(f"{root}: holds another dataset (FileList.csv)", "Choose another folder")
    else:
        write_json(path, settings.to_json())


def check_format(root: Path) -> None:
    """Raise if ``root`` holds phantoms that this version cannot draw again.

    Raises:
        EchoAugmentError: the set's format is none of `FORMATS`.
    """
    path = root / SETTINGS
    found = json.loads(path.read_text(encoding="utf-8")).get("format", 1) if path.exists() else FORMAT
    if found not in FORMATS:
        known = " and ".join(str(number) for number in FORMATS)
        raise EchoAugmentError(
            f"{root}: holds phantoms of format {found}; this version draws formats {known}, with other pixels",
            "Write them anew in another folder",
        )


def load_phantoms(root: str | Path) -> dict[str, Phantom]:
    """Return the phantoms of a folder by name, from its ``phantoms.json``.

    Raises:
        EchoAugmentError: the file is missing, or `write_phantoms` did not write it.
    """
    path = Path(root) / "phantoms.json"
    if not path.is_file():
        raise EchoAugmentError(f"{path}: is missing", "Write the phantoms first: echo-augment phantom out=... n=...")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["phantoms"]
        found = [Phantom.from_json(entry) for entry in entries]
    except (EchoAugmentError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise EchoAugmentError(f"{path}: is not a phantom file ({error})", "Write the phantoms anew") from error
    return {phantom.name: phantom for phantom in found}


def load_masks(root: str | Path, name: str) -> npt.NDArray[np.bool_]:
    """Return the LV masks of one clip, ``(T, H, W)`` bool, from ``masks.h5``.

    Raises:
        EchoAugmentError: the file or the clip is missing.
    """
    path = Path(root) / "masks.h5"
    if not path.is_file():
        raise EchoAugmentError(f"{path}: is missing", "Write the phantoms anew")
    with h5py.File(path, "r", locking=False) as file:
        if name not in file:
            raise EchoAugmentError(f"{path}: has no masks of {name!r}")
        height, width = int(file.attrs["height"]), int(file.attrs["width"])
        packed = file[name][()]
    return np.unpackbits(packed, axis=1, count=height * width).reshape(len(packed), height, width).astype(bool)
