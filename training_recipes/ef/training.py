"""One training of an EF regressor: labelled videos, an arm, a model, selection on VAL, TEST once."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import save_model
from torch import Tensor, nn

from echo_augment.augmentor.data import EchoNetDynamic, VideoInfo, probe_video
from echo_augment.augmentor.data.layouts.finding import DataFolder

from ..arms.specification import make_arm, no_teacher
from ..training.batches import DecodedEcho, GreyScale, channel_scale
from ..training.recipe import Pace, choose_videos, fit_by_recipe, train_once, training_figures, training_set
from ..training.setup import share_of, use_bf16
from .learners import make_learner
from .models import make_model
from .predicting import predict
from .pretrained import PretrainedEF
from .run import Array, ClipForm, EFErrors, EFResult, EFRun
from .teacher import Teacher, check_teacher, load_net


def true_ef(data: DecodedEcho, items: Sequence[int]) -> Array:
    """Return the EF labels of some videos in percent, ``(len(items),)``."""
    return np.array([data.rows[item].ef for item in items])


def clip_form(run: EFRun, scale: GreyScale, rows: Sequence[VideoInfo]) -> ClipForm:
    """Return how clips must be cut and normalised for the net of a run.

    Args:
        run: with the length and the period of clips.
        scale: of the grey values.
        rows: TRAIN videos: their median frame rate, and the size of the first one's frames.
    """
    first = probe_video(rows[0].path)
    rates = [row.fps for row in rows if row.fps > 0]
    fps = float(np.median(rates)) if rates else first.fps
    return ClipForm(**run.window, **scale, fps=fps, size=[first.height, first.width])


def usable_videos(root: DataFolder, split: str) -> dict[str, float]:
    """Return the EF in percent by name of the videos of a split that can be read and have a label."""
    data = EchoNetDynamic(root, split, "EF", require_tracings=False, on_error="skip")
    return {row.name: row.ef for row in data.rows}


def train_ef(run: EFRun, out: str | Path, *, progress: bool = True, together: bool = False) -> EFResult:
    """Train, select on VAL, test once. Finished runs are read, killed ones go on from their last checkpoint.

    Args:
        run: what to train.
        out: folder of the checkpoint, the log, ``model.safetensors`` and ``result.json``.
        progress: show a bar with the time left.
        together: whether the processes of an ``accelerate launch`` share each batch; the first one writes.

    Raises:
        EchoAugmentError: bad settings or data, or ``out`` holds another run.
    """
    return train_once(run, out, partial(_train, run, progress=progress), EFResult, together=together)


def _train(run: EFRun, out: Path, accelerator: Accelerator, *, progress: bool) -> EFResult:
    recipe = run.trainer
    device = accelerator.device
    window = run.window
    scale = channel_scale(run.data(), samples=recipe.stats_clips, **window)
    read = partial(
        DecodedEcho, run.data(), target_type="EF", **window, **scale, require_tracings=False, on_error="skip"
    )
    memory = float(recipe.memory_mb)
    train = read("train", pad=recipe.pad, seed=run.seed, memory_mb=memory)
    val = read("val", clips="all", memory_mb=memory)
    chosen = choose_videos(run, train.rows, val.rows)
    bf16 = use_bf16(recipe.precision, device)
    read_ef = partial(predict, device=device, bf16=bf16, workers=recipe.workers)

    def folder_of(name: str) -> str:
        folder = run.teachers[name] if name in run.teachers else no_teacher(name)
        check_teacher(folder, chosen.labelled)
        return folder

    def teach(name: str, windows: int) -> Array:
        teacher = load_net(folder_of(name)).to(device)
        whole = read("train", clips="all")
        return read_ef(teacher, whole, [chosen.places[name] for name in chosen.unlabelled], windows)

    def read_clips(name: str) -> Teacher:
        return Teacher.of_run(folder_of(name), device=str(device))

    unlabelled = chosen.of(train, chosen.unlabelled)
    given = training_set(run, chosen, train, unlabelled=unlabelled, teach=teach, reader=read_clips)
    dataset = make_arm(run.spec)(given)
    pace = Pace.of(recipe, len(dataset), share_of(accelerator))
    net = make_model(run.model.name, run.model.settings, run.seed)
    if isinstance(net, PretrainedEF):
        net.take_scale(**scale)
    learner = make_learner(run.spec, net, pace.steps)

    def loss_fn(module: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        clips, ef = batch
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            predicted = module(clips)
        return learner.loss(predicted.float(), ef.float())

    def validate(module: nn.Module) -> dict[str, float | Tensor]:
        predicted = read_ef(module, val, chosen.judged, recipe.val_clips)
        errors = np.abs(predicted - true_ef(val, chosen.judged))
        return {"mae": float(errors.mean()), "mae_each": torch.from_numpy(errors)}

    fitted = fit_by_recipe(
        run,
        learner.module,
        dataset,
        loss_fn,
        pace=pace,
        validate=validate,
        select="mae",
        out=out,
        accelerator=accelerator,
        progress=progress,
    )
    test = read("test", clips="all")
    everyone = list(range(len(test)))
    model = learner.net
    predicted = read_ef(model, test, everyone, recipe.test_clips)
    true = true_ef(test, everyone)
    if accelerator.is_main_process:
        save_model(model, str(out / "model.safetensors"))
    pairs = zip(test.rows, true, predicted, strict=True)
    return EFResult(
        **training_figures(run, chosen, dataset, fitted, model, pace=pace, read=(train, val, test), device=device),
        reader=clip_form(run, scale, train.rows),
        unlabelled_hearts=len(chosen.unlabelled),
        test=EFErrors.of(true, predicted),
        predictions={row.name: [float(one), float(other)] for row, one, other in pairs},
    )
