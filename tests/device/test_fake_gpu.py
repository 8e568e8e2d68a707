"""Every network and step of every preset on a GPU that is not there: nothing meets a tensor of another device.

Forward passes, all losses and sampling, in float32 and in mixed bfloat16. Backward passes need a real device.
"""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from diffusers.schedulers import DDIMScheduler, DDPMScheduler, EDMEulerScheduler
from fakes.gpu import GPU, Trips, fake_gpu, forked, on_gpu

from echo_augment.augmentor.mcdm.displacement import carry_detail, carry_masks, fine_detail
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.residual import edm_scheduler
from echo_augment.training_recipes.doctor.memory import mixed, without_numbers
from echo_augment.training_recipes.doctor.steps import diffusion_for, training_steps
from echo_augment.training_recipes.ef.learners import MeanTeacher
from echo_augment.training_recipes.ef.models import make_model
from echo_augment.training_recipes.generator.denoiser import scheduler_of
from echo_augment.training_recipes.generator.diffusion import path_end
from echo_augment.training_recipes.segmentation.models import make_segmentation_model
from echo_augment.training_recipes.segmentation.training import segmentation_loss

BATCH = 2
UNETS = ("paper", "base-unet")
DIFFUSED = ("denoiser", "student", "reflow")
STAGES = ("codec", "reid", "mafe", "transport", *DIFFUSED)
FORMS = {  # tiny and base have a residual denoiser; with other codes the UNet of whole latents
    "tiny": ("preset=tiny",),
    "base": ("preset=base",),
    "paper": ("preset=paper",),
    "tiny-unet": ("preset=tiny", "preset.code=mafe"),
    "base-unet": ("preset=base", "preset.code=mafe"),
    "tiny-teacher": ("preset=tiny", "preset.transport.flow=teacher"),
}
OWN = {  # stages that differ from the plain preset's
    "paper": tuple(stage for stage in STAGES if stage != "transport"),
    "tiny-unet": DIFFUSED,
    "base-unet": DIFFUSED,
    "tiny-teacher": ("transport",),
}
QUICK = {("tiny", "no"), ("tiny", "bf16"), ("tiny-unet", "no"), ("tiny-teacher", "bf16"), ("base", "bf16")}
LARGE = {("base", "no"), ("base-unet", "bf16"), ("paper", "no"), ("tiny-unet", "bf16")}  # minutes, or trained by nobody
CASES = sorted(QUICK | LARGE | {("paper", "bf16")})


def marked(cases, slow):
    marks = [[pytest.mark.slow] if slow(one) else [] for one in cases]
    return [pytest.param(*one, marks=mark, id="-".join(one)) for one, mark in zip(cases, marks, strict=True)]


def steps_of(form):
    """The steps of a form, the student's of both kinds."""
    built = on_gpu(*FORMS[form])
    if "reflow" not in built.steps:
        other = replace(built.preset, student=replace(built.preset.student, kind="reflow"))
        with built.mode:
            built.steps["reflow"] = training_steps(other, built.nets, without_numbers, contested=False)["student"]
    return built


@pytest.mark.parametrize(("form", "precision"), marked(CASES, lambda case: case in LARGE))
@forked
def test_losses_and_sampling(form, precision, library):
    """And the motion that is read. One process does all three: building a form's networks takes as long as each."""
    losses_of_all(form, precision)
    motion_is_read(on_gpu(*FORMS[form]), precision)
    few = () if form == "paper" else (2,)
    samples_in(form, precision, (0, 1, *few) if on_gpu(*FORMS[form]).nets.transport is not None else (1, *few))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["no", "bf16"])
@forked
def test_sampling_of_paper_in_steps(precision, library):
    samples_in("paper", precision, (4,))


def losses_of_all(form, precision):
    built = steps_of(form)
    for stage in OWN.get(form, STAGES):
        losses, trips = losses_of(built, form, precision, stage)
        assert all(value.device == torch.device(GPU) and value.shape == () for value in losses.values()), stage
        assert losses["loss"].dtype == torch.float32 and losses["loss"].requires_grad, stage
        assert trips == [], f"{stage}: a step waits for no copy"


def losses_of(built, form, precision, stage):
    """The losses of a step, and the copies that it made."""
    step = built.steps[stage]
    with built.mode:
        batch = step.batch(BATCH)
        with mixed(precision), Trips() as trips:
            losses = step.loss(step.network.train(), batch)
            if stage in DIFFUSED:  # what is copied once, is there now; the UNets' many operations are run once
                trips.made.clear()
                losses = losses if form in UNETS else step.loss(step.network, batch)
    return losses, trips.made


def a_step_of_the_library(self, found, timestep, sample, **_):
    """Stands for a scheduler's step, which is the library's and branches on numbers that are not there."""
    assert found.device == sample.device
    return SimpleNamespace(prev_sample=sample - 0.1 * found.to(sample.dtype))


@pytest.fixture
def library(monkeypatch):
    for scheduler in (DDIMScheduler, DDPMScheduler, EDMEulerScheduler):
        monkeypatch.setattr(scheduler, "step", a_step_of_the_library)
    monkeypatch.setattr(EDMEulerScheduler, "scale_model_input", lambda self, sample, step: sample)


def pipeline_of(built):
    nets, chosen = built.nets, built.preset
    scheduler = edm_scheduler() if nets.transport is not None else scheduler_of(chosen)
    pipeline = MCDMPipeline(
        nets.codec.eval(),
        nets.denoiser.eval(),
        nets.mafe,
        nets.reid,
        scheduler,
        nets.transport,
        frames=chosen.frames,
        rate=chosen.rate,
        size=chosen.size,
        code=chosen.code,
        sampler=chosen.sampler or "ddim",
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def samples_in(form, precision, steps):
    built = on_gpu(*FORMS[form])
    with built.mode, mixed(precision), torch.no_grad():
        pipeline = pipeline_of(built)
        assert pipeline._execution_device == torch.device(GPU)
        for count in steps:
            sampled(pipeline, built, count)


def sampled(pipeline, built, steps):
    """Sample clips, with masks where there is a transport, and look at what comes."""
    chosen, moved = built.preset, built.nets.transport is not None
    size = int(built.nets.denoiser.config["code_size"])
    motion = torch.randn(BATCH, 1 if chosen.code == "vector" else chosen.frames, size)  # in the host's memory
    reference = torch.zeros(BATCH, chosen.size, chosen.size, dtype=torch.uint8)
    masks = torch.ones(BATCH, chosen.size, chosen.size, dtype=torch.bool) if moved else None
    made = pipeline(reference, motion, num_inference_steps=steps, detail=moved, masks=masks)
    shape = (BATCH, chosen.frames, chosen.size, chosen.size)
    assert made.clips.shape == shape and made.clips.dtype == torch.uint8 and made.clips.device.type == "cpu"
    assert (made.masks is None) == (masks is None)
    assert made.masks is None or (made.masks.shape == shape and made.masks.device.type == "cpu")


@pytest.mark.parametrize(("form", "precision"), marked(CASES, lambda case: case in LARGE or case[0] == "paper"))
@forked
def test_the_path_that_couplings_follow(form, precision):
    built = on_gpu(*FORMS[form])
    with built.mode:
        diffusion, given = diffusion_for(built.preset, built.nets), steps_of(form).steps["reflow"].batch(BATCH)
        with mixed(precision), torch.no_grad():
            ends = path_end(diffusion, built.nets.denoiser, given["noise"], diffusion.given(given), 2)
    assert ends.shape == given["latents"].shape and ends.device == torch.device(GPU)


def motion_is_read(built, precision):
    nets, size = built.nets, built.preset.size
    with built.mode, mixed(precision), torch.no_grad():
        first, second = torch.rand(2, BATCH, 1, size, size, device=GPU)
        with Trips() as trips:
            assert nets.mafe.flow(first, second).device == torch.device(GPU)
            assert nets.mafe.motion_vector(first, second, turned=True).device == torch.device(GPU)
            assert nets.reid(first).device == torch.device(GPU)
    assert trips.made == []


@forked
def test_detail_and_masks_ride_on_the_gpu():
    with fake_gpu() as device, Trips() as trips:
        frames = torch.zeros(BATCH, 6, 112, 112, dtype=torch.uint8, device=device)
        moves = torch.zeros(BATCH, 6, 2, 28, 28, device=device)
        clips = carry_detail(frames, fine_detail(frames[:, 0], frames[:, 1]), moves)
        masks = carry_masks(torch.ones(BATCH, 112, 112, dtype=torch.bool, device=device), moves)
        assert clips.device == masks.device == device and clips.shape == masks.shape == frames.shape
    assert trips.made == []


@pytest.mark.parametrize(("name", "settings"), [("tiny", {}), ("r2plus1d_18", {"weights": "random"})])
@pytest.mark.parametrize("half", [False, True])
@forked
def test_ef_nets(name, settings, half):
    net = make_model(name, settings, 0)
    with fake_gpu(half) as device:
        without_numbers(net)
        found = net(torch.randn(BATCH, 3, 8, 112, 112, device=device))
        assert found.shape == (BATCH,) and found.device == device


@forked
def test_a_mean_teacher(monkeypatch):
    learner = MeanTeacher(make_model("tiny", {}, 0), steps=10)
    monkeypatch.setattr(MeanTeacher, "_view", lambda self, clips: clips)  # moves by whole pixels, drawn on the host
    with fake_gpu() as device:
        without_numbers(learner.train())
        clips, ef = torch.randn(BATCH, 3, 8, 112, 112, device=device), torch.ones(BATCH, device=device)
        with Trips() as trips:
            losses = learner.loss(learner(clips), ef)
    assert losses["loss"].requires_grad and learner.step == 1 and trips.made == []


@pytest.mark.parametrize(("name", "settings"), [("unet", {}), ("deeplabv3_resnet50", {"backbone": "random"})])
@pytest.mark.parametrize("half", [False, True])
@forked
def test_segmentation_nets(name, settings, half):
    net = make_segmentation_model(name, settings, 0)
    with fake_gpu(half) as device:
        without_numbers(net)
        frames, masks = torch.randn(BATCH, 3, 112, 112, device=device), torch.zeros(BATCH, 112, 112, device=device)
        losses = segmentation_loss(net, (["a", "b"], (frames, frames, masks, masks)), device, False)
        assert losses["loss"].device == device


@forked
def test_two_devices_are_noticed():
    """The fake tensors of these tests refuse what a GPU refuses."""
    with fake_gpu() as device:
        with pytest.raises(RuntimeError, match="same device"):
            torch.ones(2, device=device) + torch.ones(2)
        with Trips() as trips:
            torch.ones(2).to(device)
            torch.ones(2, device=device) * 2
            torch.tensor([1.0], device=device)
        assert len(trips.made) == 2
