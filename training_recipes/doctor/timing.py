"""Seconds of a training step, and of what the stages between the trainings do for a video, timed on a device."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch.optim import AdamW

from echo_augment.augmentor.devices import wait_for
from echo_augment.augmentor.mcdm.codec import encode
from echo_augment.augmentor.mcdm.motion import flow_codes, mafe_codes, vector_code
from echo_augment.augmentor.mcdm.phase import Heart
from echo_augment.cache.system.processes import usable_cores

from ..generator.copies import COPIES
from ..generator.diffusion import path_end
from ..generator.mafe import flows_to_ends
from ..generator.networks import Networks
from ..generator.preset import PresetSettings
from ..generator.pseudo import video_flow
from ..generator.transport import seen_of
from .steps import Step, copied_frames, diffusion_for, windows

SMALL = 2  # items that are timed first on a CPU
PATIENCE, ROUNDS = 5.0, 3  # seconds that a repetition may take; repetitions
VIDEO_SECONDS = 3.5  # a mean video of EchoNet-Dynamic: 176 frames at 51 a second
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@contextmanager
def arithmetic(device: torch.device, precision: str) -> Iterator[None]:
    """Compute in a precision as training does: ``no``, ``bf16`` or ``fp16``."""
    half = HALVES.get(precision)
    with torch.autocast(device.type, half or torch.bfloat16, enabled=half is not None):
        yield


def timed(work: Callable[[], Any], device: torch.device) -> float:
    """Return the seconds of some work: the least of three times after a first one, or the first if that is long."""

    def once() -> float:
        began = time.perf_counter()
        work()
        wait_for(device)
        return time.perf_counter() - began

    first = once()
    return first if first > PATIENCE else min(once() for _ in range(ROUNDS))


def step_seconds(step: Step, items: int, device: torch.device, precision: str, *, checkpointing: bool = False) -> float:
    """Return the seconds of a step of so many items: forward, backward and the optimiser's.

    On a CPU a large batch is reckoned from a small one, if it would take long. Weights change.

    Args:
        step: of a stage, its networks on the device.
        items: of the batch.
        device: that computes.
        precision: ``no``, ``bf16`` or ``fp16``.
        checkpointing: compute activations again.
    """
    network = step.network.train()
    fused = device.type == "cuda" or None
    optimizer = AdamW([one for one in network.parameters() if one.requires_grad], lr=1e-6, fused=fused)
    if checkpointing:
        cast(Any, network).enable_gradient_checkpointing()

    def seconds(count: int) -> float:
        batch = step.batch(count)

        def work() -> None:
            with arithmetic(device, precision):
                loss = step.loss(network, batch)["loss"]
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

        return timed(work, device)

    try:
        if device.type != "cpu" or items <= SMALL:
            return seconds(items)
        expected = seconds(SMALL) * items / SMALL
        return expected if expected > PATIENCE else seconds(items)
    finally:
        optimizer.zero_grad()
        if checkpointing:
            cast(Any, network).disable_gradient_checkpointing()


def host_seconds(step: Step, preset: PresetSettings) -> float:
    """Return the seconds in which the host's cores draw a batch of MAFE's, whose flows it estimates; else 0."""
    if step.stage != "mafe" or preset.mafe.losses.flow_target != "ends":
        return 0.0
    triple = np.random.default_rng(0).integers(0, 256, (3, preset.size, preset.size), np.uint8)
    threads = max(1, min(step.items, cv2.getNumThreads(), usable_cores()))
    return timed(lambda: flows_to_ends(triple), torch.device("cpu")) * step.items / threads


def made_up_video(preset: PresetSettings) -> Heart:
    """Return a video as long as a mean one of EchoNet-Dynamic, at twice the generator's frame rate."""
    length = max(8, round(2 * float(preset.rate) * VIDEO_SECONDS))
    frames = np.random.default_rng(0).integers(0, 256, (length, preset.size, preset.size), np.uint8)
    return Heart("made up", frames, 0, length // 3)


def between_seconds(preset: PresetSettings, nets: Networks, precision: str) -> dict[str, float]:
    """Return the seconds a video of each stage that trains nothing, by its name; ``couplings`` those of a pair."""
    device, heart, host = nets.codec.device, made_up_video(preset), torch.device("cpu")
    frames = torch.from_numpy(heart.frames)
    grid = heart.grid
    found = {"latents": timed(lambda: encode(nets.codec, frames[grid]), device)}
    with torch.no_grad():
        read = timed(lambda: nets.reid(frames[:, None].to(device).float() / 255), device)
        flow = timed(lambda: video_flow(heart), host)
        found["pseudo"] = read + flow / usable_cores()
        if preset.code == "vector":
            found["motions"] = timed(lambda: vector_code(nets.mafe, heart), device)
        elif preset.code in ("mafe", "flow"):
            found["motions"] = timed(
                lambda: mafe_codes(nets.mafe, heart) if preset.code == "mafe" else flow_codes(heart), device
            )
        transport = nets.transport
        if transport is not None:
            if preset.transport.flow == "teacher":
                found["motions"] = flow / usable_cores()
            batch = copied_frames(preset, device, len(grid))
            found["copies"] = COPIES * timed(lambda: transport.encode(*seen_of(batch, nets.mafe)), device)
        if preset.student.kind == "reflow":
            given = windows(preset, nets, device, 1, reflow=True)
            diffusion = diffusion_for(preset, nets)
            with arithmetic(device, precision):
                one = timed(
                    lambda: path_end(diffusion, nets.denoiser, given["noise"], diffusion.given(given), 1), device
                )
            found["couplings"] = one * preset.couplings.steps
    return found
