"""Figures of the clips of a folder, by which phantoms are held against real ones: of their pixels and their motion."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from echo_augment.augmentor.data.phantom.likeness.motion import (
    Encode,
    component_shares,
    flow_figures,
    speckle_lags,
    warp_figures,
)
from echo_augment.augmentor.data.phantom.likeness.pixels import MOST_FRAMES, clip_figures
from echo_augment.augmentor.data.tracing import Tracing, read_tracings, tracing_mask
from echo_augment.augmentor.data.video import read_video
from echo_augment.augmentor.mcdm.codec import encode
from echo_augment.augmentor.mcdm.phase import make_heart, resample_indices
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.progress import follow, say

Frames = npt.NDArray[np.uint8]
RATE, CLIP_FRAMES, SIZE, FILM_FPS = 12.5, 16, 112, 50.0
LATENT_FRAMES = 50  # at twice the rate: two seconds
FEWEST = 20  # frames of a film whose speckle is followed over 16


@dataclass(frozen=True, slots=True, eq=False)
class FolderClip:
    """One video of a folder.

    Attributes:
        frames: ``(T, H, W)`` uint8.
        fps: frames per second.
        tracings: of the LV by frame; empty where nothing is traced.
    """

    frames: Frames
    fps: float
    tracings: dict[int, Tracing]


def read_clips(root: Path, most: int | None = None) -> dict[str, FolderClip]:
    """Return the first ``most`` videos of a data set's folder by name, in order.

    Raises:
        EchoAugmentError: the folder has none.
    """
    paths = sorted((root / "Videos").glob("*.avi"))[:most]
    if not paths:
        raise EchoAugmentError(f"{root}: has no Videos/*.avi", "Give data.root=, a folder in EchoNet-Dynamic's layout")
    table = root / "VolumeTracings.csv"
    traced = read_tracings(table).frames if table.is_file() else {}
    return {path.stem: FolderClip(*read_video(path), traced.get(path.stem, {})) for path in paths}


def bundled_codec() -> Encode:
    """Return the bundled codec: frames ``(N, 112, 112)`` uint8 to latents ``(N, 4, 14, 14)``."""
    codec = MCDMPipeline.load("bundled").vae
    return lambda frames: np.asarray(encode(codec, torch.from_numpy(np.ascontiguousarray(frames))).cpu())


def resized(frames: Frames) -> Frames:
    """Return frames ``(T, H, W)`` at 112x112."""
    if frames.shape[1:] == (SIZE, SIZE):
        return frames
    return np.stack([cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for frame in frames])


def motion_figures(name: str, clip: FolderClip, codec: Encode) -> dict[str, float]:
    """Return the figures of a clip's motion on its own ED frame, which is found without labels.

    The warp's are of 16 frames at 12.5 a second, the components' of two seconds at 25, the speckle's of the first 64
    frames at 50. Those of the flow on and off the walls need a tracing of the ED frame.

    Raises:
        EchoAugmentError: the clip is too short.
    """
    film = clip.frames[resample_indices(len(clip.frames), clip.fps, FILM_FPS)][:MOST_FRAMES]
    if len(film) < FEWEST:
        raise EchoAugmentError(f"video {name!r}: {len(clip.frames)} frames at {clip.fps:g} fps are too few")
    heart = make_heart(name, clip.frames, clip.fps, rate=RATE, size=SIZE)
    at = max(0, (len(heart.grid) - CLIP_FRAMES) // 2)
    shown = heart.frames[heart.grid[at : at + CLIP_FRAMES]]
    moved = codec(heart.frames[:LATENT_FRAMES]) - codec(heart.reference[None])
    found = warp_figures(heart.reference, shown, codec) | component_shares(moved) | speckle_lags(resized(film))
    masks = {at: tracing_mask(lines, clip.frames.shape[1:]) for at, lines in clip.tracings.items()}
    largest = max(masks, key=lambda at: float(masks[at].sum()), default=-1)
    if 0 <= largest < len(clip.frames):
        lv = cv2.resize(masks[largest], (SIZE, SIZE), interpolation=cv2.INTER_AREA) > 0.5
        found |= flow_figures(resized(clip.frames[largest][None])[0], shown, lv)
    return found


def folder_figures(clips: dict[str, FolderClip], codec: Encode, what: str) -> dict[str, dict[str, float]]:
    """Return every figure of each clip by name; what a clip is too short for is left out and said.

    Args:
        clips: as `read_clips` gave them.
        codec: frames to latents.
        what: name of the stage.
    """
    found = {}
    for name, clip in follow(clips.items(), what, unit="clip"):
        found[name] = clip_figures(clip.frames, clip.fps)
        try:
            found[name] |= motion_figures(name, clip, codec)
        except EchoAugmentError as error:
            say(f"no figures of motion: {error}")
    return found
