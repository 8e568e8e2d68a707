"""The net of a finished EF training as a teacher: it reads the EF of unlabelled clips and of generated ones."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_model
from torch import nn

from echo_augment.augmentor.data import VideoInfo
from echo_augment.augmentor.mcdm.fingerprint import digest
from echo_augment.augmentor.mcdm.training_videos import refuse_trained_on
from echo_augment.augmentor.video_format import EPS, VideoFormat, Window
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError

from ..training.run import RESULT, SETTINGS
from .models import make_model
from .run import ClipForm

WEIGHTS = "model.safetensors"


def load_net(folder: str | Path) -> nn.Module:
    """Return the selected net of a finished training, in eval mode: clips ``(B, 3, T, H, W)`` to percent EF ``(B,)``.

    Args:
        folder: folder of the training: ``out`` of ``train-ef``, or a folder in ``runs/`` of a benchmark.

    Raises:
        EchoAugmentError: there is no finished training in it, or its files do not fit together.
    """
    folder = Path(folder)
    for name in (RESULT, SETTINGS, WEIGHTS):
        if not (folder / name).is_file():
            raise EchoAugmentError(f"{folder / name}: is missing", "Give the folder of a finished train-ef as teacher")
    try:
        model = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["model"]
        settings = {**model["settings"]}
        if "weights" in settings:
            settings["weights"] = "random"  # the trained weights follow: nothing to download
        net = make_model(model["name"], settings, 0)
        load_model(net, str(folder / WEIGHTS))
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise EchoAugmentError(f"{folder}: is no teacher that can be read ({error})", "Train it anew") from error
    return net.eval()


def known_videos(folder: str | Path) -> list[str]:
    """Return the names of the TRAIN videos whose labels the net of a finished training learned from.

    Raises:
        EchoAugmentError: the training there is not finished, or its result cannot be read.
    """
    path = Path(folder) / RESULT
    try:
        known: list[str] = json.loads(path.read_text(encoding="utf-8"))["labelled"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EchoAugmentError(
            f"{path}: does not say which videos were labelled ({error})", "Give the folder of a finished training"
        ) from None
    return known


def check_teacher(folder: str | Path, labelled: Collection[str]) -> None:
    """Raise if a teacher knows labels which the run that it teaches must not know.

    Args:
        folder: folder of the teacher's training.
        labelled: names of the videos whose labels the run knows.

    Raises:
        EchoAugmentError: naming a video; or as `known_videos`.
    """
    more = sorted(set(known_videos(folder)) - set(labelled))
    if more:
        others = f" and of {len(more) - 1} more videos" if len(more) > 1 else ""
        raise EchoAugmentError(
            f"teacher {folder}: it learned the EF of {more[0]}{others}, which this run must not know",
            "Train it with the labels and the seed of this run",
        )


WINDOWS = 5  # a clip longer than the teacher's window is read at most at so many places
BATCH = 20


class Teacher:
    """Reads the EF that a clip shows.

    Clips of any frame rate and size are resampled in time and resized to what the net was trained on.

    Args:
        net: normalised clips ``(B, 3, L, H, W)`` to EF ``(B,)`` in percent.
        form: how its clips are cut and normalised.
        device: that it computes on.
        fingerprint: hash of weights and form.

    Raises:
        EchoAugmentError: a value of ``form`` is out of its range.
    """

    def __init__(self, net: nn.Module, form: ClipForm, *, device: str = "cpu", fingerprint: str = "") -> None:
        self.device, self.net, self.fingerprint = torch.device(device), net.eval().to(device), fingerprint
        height, width = form.size
        self.form = VideoFormat(
            length=form.length,
            period=form.period,
            fps=form.fps,
            clips="all",
            max_length=None,
            mean=form.mean,
            std=form.std,
            size=(height, width),
        )

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu", held_out: Sequence[VideoInfo] = ()) -> "Teacher":
        """Return the teacher in the folder ``out`` of train-ef.

        Args:
            folder: with ``model.safetensors``, ``settings.json``, ``result.json`` and ``training_hearts.json``.
            device: for the net.
            held_out: VAL and TEST videos; it must have been trained on none of them.

        Raises:
            EchoAugmentError: no teacher there, one of an earlier version, or one that was trained on a held-out video.
        """
        folder = Path(folder)
        net = load_net(folder)
        again = "Run the same echo-augment train-ef command again: it adds the file"
        refuse_trained_on(folder, held_out, what="teacher", if_missing=again)
        form, _ = read_form(folder)
        text = json.dumps(asdict(form), sort_keys=True).encode()
        return cls(net, form, device=device, fingerprint=digest((folder / WEIGHTS).read_bytes(), text))

    @classmethod
    def of_run(cls, folder: str | Path, *, device: str = "cpu") -> "Teacher":
        """Return the net of another training of the same benchmark, whose design knows the videos that trained it."""
        form, key = read_form(folder)
        return cls(load_net(folder), form, device=device, fingerprint=key)

    def __call__(self, clips: Sequence[EchoClip]) -> npt.NDArray[np.float64]:
        """Return the EF in percent of each clip ``(len(clips),)``: the mean over its windows.

        Raises:
            EchoAugmentError: a clip shorter than the teacher's window.
        """
        if not clips:
            return np.empty(0)
        videos = [self.windows(clip) for clip in clips]
        with torch.no_grad():
            parts = torch.from_numpy(np.concatenate(videos)).split(BATCH)
            found = torch.cat([self.net(part.to(self.device)).cpu().double() for part in parts]).numpy()
        ends = np.cumsum([len(video) for video in videos])[:-1]
        return np.array([part.mean() for part in np.split(found, ends)])

    def room(self, clip: EchoClip) -> float:
        """Return how many frames of a clip are left beside one window; below 0 it is too short to be read."""
        step = self.form.period * clip.fps / self.form.fps  # in frames of the clip
        return len(clip.frames) - EPS - (int(self.form.length or 1) - 1) * step  # a frame stands for 1 / fps seconds

    def windows(self, clip: EchoClip) -> npt.NDArray[np.float32]:
        """Return the parts of a clip that are read, ``(K, 3, L, H, W)`` normalised, evenly spread, each on a frame."""
        form, length = self.form, int(self.form.length or 1)
        step, room = form.period * clip.fps / form.fps, self.room(clip)
        if room < 0:
            raise EchoAugmentError(
                f"the teacher looks at {length * form.period / form.fps:.2f} s, clip {clip.clip_id!r} has only "
                f"{len(clip.frames) / clip.fps:.2f} s",
                "Train the teacher with a smaller trainer.length, or take a generator of longer clips",
            )
        last = max(int(np.floor(room - 1 + 2 * EPS)), 0)
        starts = np.unique(np.linspace(0, last, min(WINDOWS, last + 1)).round())
        return form.video(clip, Window(starts[:, None] + np.arange(length) * step, None, 0))


def read_form(folder: str | Path) -> tuple[ClipForm, str]:
    """Return how the clips of a finished training are cut and normalised, and the training's key.

    Raises:
        EchoAugmentError: its ``result.json`` is damaged, or of an early version that did not say.
    """
    path = Path(folder) / RESULT
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.get("reader") is not None:
            return ClipForm(**found["reader"]), str(found["key"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EchoAugmentError(f"teacher {folder}: {RESULT} is damaged ({error})", "Train it again") from error
    raise EchoAugmentError(
        f"teacher {folder}: its {RESULT} does not say how clips were normalised",
        "It was trained by an earlier version: train it again, into another folder",
    )
