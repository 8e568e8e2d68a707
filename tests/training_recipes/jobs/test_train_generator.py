"""The generator's stages on a handful of phantoms: they run whole, are skipped once done, and see TRAIN only."""

import json
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from fakes.generator import short_job

from echo_augment.augmentor.data import content_hash, read_table
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.generator import transport
from echo_augment.training_recipes.generator.codec import Latents
from echo_augment.training_recipes.generator.denoiser import denoising_loss
from echo_augment.training_recipes.generator.distil import student
from echo_augment.training_recipes.generator.distil.student import consistency_loss
from echo_augment.training_recipes.generator.motions import DISK, Copies, Motions
from echo_augment.training_recipes.generator.prepare import prepare
from echo_augment.training_recipes.generator.pseudo import PseudoLabels
from echo_augment.training_recipes.generator.transport import seen_of, transport_loss
from echo_augment.training_recipes.jobs import train_generator
from echo_augment.training_recipes.jobs.train_generator import run


@pytest.fixture(scope="module", autouse=True)
def few_watched():
    """A transport is judged by 16 frames instead of 512, which would take longer than its steps here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "explained", partial(transport.explained, count=16))
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_phantoms(tmp_path_factory.mktemp("data") / "phantom", 8, seed=6, workers=1, format=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, root):
    out = tmp_path_factory.mktemp("run")
    run(short_job(out, root))
    return out


def test_the_pipeline_loads_and_the_report_names_every_stage(trained):
    pipeline = MCDMPipeline.load(str(trained / "generator"))
    assert pipeline.config["preset"] == "tiny" and pipeline.config["code_mean"] == [0.0]
    assert pipeline.transport.config["scale"] > 0
    assert pipeline.vae.config["scaling_factor"] != 1 and all(
        0 < one != 1 for one in pipeline.denoiser.config["spread"]
    )
    report = json.loads((trained / "report.json").read_text())
    stages = ["codec", "latents", "reid", "pseudo", "mafe", "transport", "copies", "denoiser"]
    assert list(report["stages"]) == stages
    assert report["fingerprint"] and report["versions"]["torch"]
    assert report["fingerprint"] in (trained / "generator" / "README.md").read_text()


def test_no_path_of_this_machine_travels_with_the_weights(trained):
    for path in (trained / "generator").rglob("*.json"):
        assert str(trained) not in path.read_text()


def test_only_train_hearts_train(trained, root):
    known = set(json.loads((trained / "generator" / "training_hearts.json").read_text())["content"])
    for row in read_table(root).rows:
        assert (content_hash(row.path) in known) == (row.split == "TRAIN")


def test_a_second_run_skips_what_is_done(trained, root, capsys):
    before = json.loads((trained / "report.json").read_text())["fingerprint"]
    run(short_job(trained, root))
    printed = capsys.readouterr().out
    assert printed.count("done before") == 9  # eight stages and the generator
    assert json.loads((trained / "report.json").read_text())["fingerprint"] == before


def test_other_settings_are_refused(trained, root):
    with pytest.raises(EchoAugmentError, match=r"run with other settings \(preset.denoiser.residual.channels\)"):
        run(short_job(trained, root, "preset.denoiser.residual.channels=[32,32]"))


def test_the_settings_of_a_plain_run_are_preset_seed_and_videos(trained):
    settings = json.loads((trained / "stages.json").read_text())["settings"]
    assert set(settings) == {"preset", "seed", "videos"}
    assert "sampler_steps" not in settings["preset"], "another number of steps trains nothing anew"


@pytest.fixture
def foreign(tmp_path, trained):
    """A codec of another training: its folder and its weights."""
    codec = AutoencoderKL.from_pretrained(trained / "codec")
    with torch.no_grad():
        for parameter in codec.decoder.parameters():
            parameter.mul_(0.5)
    codec.save_pretrained(tmp_path / "vae")
    return tmp_path / "vae", codec.state_dict()


def test_a_codec_from_elsewhere_is_taken_and_told(tmp_path, root, foreign):
    folder, weights = foreign
    run(short_job(tmp_path / "out", root, f"codec={folder}"))
    ours = MCDMPipeline.load(str(tmp_path / "out" / "generator")).vae.state_dict()
    assert all((ours[key] - weights[key]).abs().max() < 2e-3 for key in weights)
    card = (tmp_path / "out" / "generator" / "README.md").read_text()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert f"taken from a folder; hash `{report['codec']}`" in card and "codec=FOLDER" in card
    assert str(tmp_path) not in card and report["stages"]["codec"]["steps"] == 0


def test_a_run_does_not_change_its_codec(tmp_path, root, foreign):
    run(short_job(tmp_path / "out", root, f"codec={foreign[0]}", "only=codec"))
    with pytest.raises(EchoAugmentError, match=r"run with other settings \(codec\)"):
        run(short_job(tmp_path / "out", root, "only=codec"))


def test_a_run_for_mafe_alone_reports_its_interpolation_and_trains_nothing_else(tmp_path, root):
    run(short_job(tmp_path, root, "losses=interp", "only=mafe", "log=[]"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert list(report["stages"]) == ["reid", "pseudo", "mafe"]
    losses = report["losses"]
    assert (losses["name"], losses["reid"], losses["flow"], losses["flow_target"]) == ("interp", 0.0, 0.0, "ends")
    figures = report["stages"]["mafe"]
    assert 5 < figures["watched_psnr"] < 60 and -1 < figures["watched_ssim"] < 1 and figures["blend_psnr"] > 10
    assert not (tmp_path / "generator").exists()


@pytest.mark.parametrize("code", ["mafe", "flow"])
def test_codes_that_are_not_learned_need_no_transport(trained, tmp_path, root, code):
    run(short_job(tmp_path, root, f"preset.code={code}", f"reuse={trained}"))
    pipeline = MCDMPipeline.load(str(tmp_path / "generator"))
    assert pipeline.transport is None and len(pipeline.config["code_mean"]) == 50
    heart = prepare([], tmp_path / "hearts", rate=12.5, size=112).videos[0]
    reference = torch.from_numpy(heart.reference.copy())[None]
    assert pipeline(reference, pipeline.encode_motion(heart)[None, :16]).clips.shape == (1, 16, 112, 112)
    assert "transport" not in json.loads((tmp_path / "report.json").read_text())["stages"]


def still(_rng, count):
    one = torch.ones(count)
    return Copies(
        torch.eye(2).expand(count, 2, 2), torch.zeros(count, 2), one, one, dict.fromkeys(DISK, one[:, None, None])
    )


@pytest.mark.parametrize("flow", ["mafe", "teacher"])
def test_codes_of_training_are_those_of_the_pipeline(trained, tmp_path, root, flow, monkeypatch):
    run(short_job(tmp_path, root, f"preset.transport.flow={flow}", f"reuse={trained}"))
    pipeline = MCDMPipeline.load(str(tmp_path / "generator"))
    data = prepare([], tmp_path / "hearts", rate=12.5, size=112)
    path = tmp_path / "flows.npy" if flow == "teacher" else None
    motions = Motions(data, Latents(data, tmp_path / "latents.npy"), path, PseudoLabels(tmp_path / "pseudo.h5"))
    monkeypatch.setattr("echo_augment.training_recipes.generator.motions.draw_copies", still)
    heart = data.videos[0]
    window = motions.window(np.random.default_rng(0), 0, np.arange(len(heart.grid)))
    with torch.no_grad():
        seen, frames, _, features = seen_of(window, pipeline.mafe)
        trained_on = pipeline.transport.encode(seen, frames, None, features)
    torch.testing.assert_close(pipeline.encode_motion(heart), trained_on, atol=2e-2, rtol=2e-2)
    assert trained_on.std() > 1e-3


def weights_of(out, name):
    return {path.name: path.read_bytes() for path in (out / name).glob("*.safetensors")}


def test_settings_of_stages_to_come_may_change(trained, root, tmp_path):
    out = tmp_path / "run"
    run(short_job(out, root, "only=codec"))
    run(short_job(out, root, "preset.denoiser.steps=3", "preset.transport.steps=1"))
    report = json.loads((out / "report.json").read_text())
    assert report["stages"]["denoiser"]["steps"] == 3 and report["stages"]["transport"]["steps"] == 1
    assert weights_of(out, "mafe") == weights_of(trained, "mafe") != {}
    with pytest.raises(EchoAugmentError, match=r"other settings \(preset.transport.steps\)"):
        run(short_job(out, root, "preset.denoiser.steps=3"))


def test_a_finished_generator_is_judged_and_written_once(trained, root, tmp_path, capsys, monkeypatch):
    judged = []
    monkeypatch.setattr(train_generator, "judge_kept_aside", lambda *given, **also: judged.append(given))
    asked = short_job(tmp_path, root, f"reuse={trained}")
    run(asked)
    made = weights_of(tmp_path / "generator", "denoiser")
    run(asked)
    assert len(judged) == 1 and f"generator in {tmp_path / 'generator'}: done before\n" in capsys.readouterr().out
    (tmp_path / "generator" / "denoiser" / next(iter(made))).write_bytes(b"cut")
    run(asked)
    assert len(judged) == 2 and weights_of(tmp_path / "generator", "denoiser") == made
    run(short_job(tmp_path, root, f"reuse={trained}", "preset.sampler_steps=2"))
    assert len(judged) == 3, "other settings are not what was written"


def test_what_another_run_made_with_equal_settings_is_taken(trained, root, tmp_path, capsys):
    out = tmp_path / "flow"
    run(short_job(out, root, "preset.code=flow", f"reuse={trained}"))
    assert f"taken from {trained}: hearts, codec, latents, reid, pseudo, mafe\n" in capsys.readouterr().out
    for name in ("codec", "reid", "mafe"):
        assert weights_of(out, name) == weights_of(trained, name) != {}
    alone = tmp_path / "alone"
    run(short_job(alone, root, "preset.code=flow"))
    assert weights_of(out, "denoiser") == weights_of(alone, "denoiser") != weights_of(trained, "denoiser")


def test_another_run_that_shares_nothing_is_refused(trained, tmp_path):
    other = write_phantoms(tmp_path / "other", 10, seed=7, workers=1, format=2)
    with pytest.raises(EchoAugmentError, match=r"reuse=.*made with other settings \(videos\)"):
        run(short_job(tmp_path / "out", other, f"reuse={trained}"))
    with pytest.raises(EchoAugmentError, match=r"reuse=.*has no stages.json"):
        run(short_job(tmp_path / "out", other, f"reuse={other}"))


def test_other_videos_under_the_same_names_are_refused(trained, root, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    first, second = (row.path for row in read_table(copy).split("TRAIN")[:2])
    first.write_bytes(second.read_bytes())
    with pytest.raises(EchoAugmentError, match=rf"reuse=.*{first.stem}.* was another video there"):
        run(short_job(tmp_path / "out", copy, f"reuse={trained}"))


@pytest.fixture(scope="module")
def with_student(tmp_path_factory, trained, root):
    """A run with a student; and the generator's weights as they were before it."""
    out = shutil.copytree(trained, tmp_path_factory.mktemp("student") / "run")
    before = weights_of(out, "generator/denoiser")
    run(short_job(out, root, "only=student"))
    return out, before


def moved(one, two):
    pairs = zip(one.denoiser.parameters(), two.denoiser.parameters(), strict=True)
    return max((ours - theirs).abs().max() for ours, theirs in pairs)


def test_a_student_is_a_pipeline_beside_the_generator(with_student):
    out, before = with_student
    student, teacher = (MCDMPipeline.load(str(out / name)) for name in ("generator-student", "generator"))
    assert student.config["steps"] == 1 and moved(student, teacher) > 0
    assert weights_of(out, "generator/denoiser") == before
    card = (out / "generator-student" / "README.md").read_text()
    assert "| student | 2 |" in card and "only=student" in card


def test_a_generator_says_nothing_of_its_student(with_student, root):
    out, _ = with_student
    run(short_job(out, root))
    assert "student" not in (out / "generator" / "README.md").read_text()
    assert "student" not in json.loads((out / "report.json").read_text())["stages"]


REFLOW = ("only=student", "preset.student.kind=reflow")


@pytest.fixture(scope="module")
def reflowed(tmp_path_factory, trained, root):
    """A run with a reflow student, and the batches that it learned from."""
    out, batches = tmp_path_factory.mktemp("reflow"), []

    def watched_loss(*args, **kwargs):
        loss = denoising_loss(*args, **kwargs)
        return lambda model, batch: batches.append(batch) or loss(model, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(student, "denoising_loss", watched_loss)
        run(short_job(out, root, *REFLOW, f"reuse={trained}"))
    return out, batches


def test_a_reflow_student_learns_from_couplings(reflowed):
    out, batches = reflowed
    ends = np.load(out / "couplings.npy")
    assert ends.shape[:3] == (5, 16, 4) and np.isfinite(ends).all() and ends.std() > 0
    assert len(batches) == 2 and all(batch["noise"].shape == batch["clean"].shape for batch in batches)
    for clip in torch.cat([batch["clean"] for batch in batches]):
        assert any(np.array_equal(clip, end) for end in ends.astype(np.float32))


def test_the_card_tells_the_couplings(reflowed):
    card = (reflowed[0] / "generator-student" / "README.md").read_text()
    assert "only=student" in card and "preset.student.kind=reflow" in card
    assert "| couplings |  |" in card and "clips 5" in card and "| student | 2 |" in card


def test_couplings_are_made_once_and_not_with_other_settings(reflowed, root, capsys):
    run(short_job(reflowed[0], root, *REFLOW))
    assert "couplings: done before" in capsys.readouterr().out
    with pytest.raises(EchoAugmentError, match=r"other settings \(preset\.couplings\.steps\)"):
        run(short_job(reflowed[0], root, *REFLOW, "preset.couplings.steps=3"))


@dataclass(frozen=True)
class Distilled:
    """A run that distils a generator on other videos."""

    code: str
    source: Path
    out: Path
    videos: Path
    units: list[list[float]]

    @property
    def student(self):
        return self.out / "generator-student"


@pytest.fixture(scope="module", params=["transport", "flow"])
def distilled(request, trained, root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("distilled")
    source = trained / "generator"
    if request.param == "flow":
        run(short_job(folder / "first", root, "preset.code=flow", f"reuse={trained}"))
        source = folder / "first" / "generator"
    source = shutil.copytree(source, folder / "plain")
    config = json.loads((source / "model_index.json").read_text())
    (source / "model_index.json").write_text(json.dumps(config | {"detail": False}))
    other = write_phantoms(folder / "other", 8, seed=8, workers=1, format=2)
    found = Distilled(request.param, source, folder / "run", other, [])

    def watched_loss(teacher, diffusion, **kwargs):
        found.units.append(getattr(diffusion, "spread", torch.zeros(1)).flatten().tolist())
        return consistency_loss(teacher, diffusion, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(student, "consistency_loss", watched_loss)
        run(short_job(found.out, other, f"distil={source}", f"preset.code={request.param}"))
    return found


def test_the_networks_of_a_distilled_generator_stay_but_for_the_denoiser(distilled):
    before, after = (MCDMPipeline.load(str(folder)) for folder in (distilled.source, distilled.student))
    for name in ("vae", "reid", "mafe", "transport"):
        one, two = getattr(before, name), getattr(after, name)
        assert (one is None) == (two is None)
        assert one is None or all(torch.equal(two.state_dict()[key], value) for key, value in one.state_dict().items())
    assert moved(before, after) > 0


def test_a_student_keeps_the_units_of_its_source(distilled):
    before, after = (MCDMPipeline.load(str(folder)) for folder in (distilled.source, distilled.student))
    for key in ("code_mean", "code_std", "frames", "rate"):
        assert after.config[key] == pytest.approx(before.config[key], rel=1e-6)
    assert after.config["detail"] is False
    unit = "spread" if distilled.code == "transport" else "motion_scale"
    assert after.denoiser.config[unit] == before.denoiser.config[unit]
    if unit == "spread":
        assert distilled.units == [pytest.approx(before.denoiser.config["spread"])]
        assert after.transport.config["scale"] == before.transport.config["scale"]


def test_a_student_says_which_videos_trained_it_and_its_source(distilled):
    before, after = (
        set(json.loads((folder / "training_hearts.json").read_text())["content"])
        for folder in (distilled.source, distilled.student)
    )
    learned_from = {content_hash(row.path) for row in read_table(distilled.videos).split("TRAIN")}
    assert after == before | learned_from and not before & learned_from


def test_the_card_of_a_student_tells_its_source(distilled):
    card = (distilled.student / "README.md").read_text()
    assert "Distilled from" in card and "distil=GENERATOR" in card and str(distilled.source.parent) not in card
    assert "told by its own card" in card and "phantoms only" not in card and "videos trained the student" in card


def test_a_run_does_not_change_its_source(distilled):
    with pytest.raises(EchoAugmentError, match=r"other settings \(teacher\)"):
        run(short_job(distilled.out, distilled.videos, "only=student", f"preset.code={distilled.code}"))


def test_a_generator_of_another_kind_is_not_distilled(trained, root, tmp_path):
    with pytest.raises(EchoAugmentError, match=r"distil=.* has rate=12\.5, not 25"):
        run(short_job(tmp_path, root, f"distil={trained / 'generator'}", "preset.rate=25"))


def test_a_source_that_a_held_out_video_trained_is_refused(trained, root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "copy")
    train, val = (read_table(copy).split(split)[0].path for split in ("TRAIN", "VAL"))
    val.write_bytes(train.read_bytes())
    with pytest.raises(EchoAugmentError, match=rf"{val.name}: a VAL video trained the generator"):
        run(short_job(tmp_path / "out", copy, f"distil={trained / 'generator'}"))


def test_the_videos_kept_aside_judge_the_pipeline_and_the_card_says_so(trained, root, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    run(short_job(tmp_path / "run", root, "reenactment.videos=2", "reenactment.curve=[1]", "preset.sampler_steps=0"))
    found = json.loads((tmp_path / "run" / "report.json").read_text())["reenactment"]
    assert found["videos"] == 1 and not found["chosen"]  # one of so few is kept aside, and it chooses nothing
    assert set(found["rows"]) == {"still", "warp", "codec", "steps-0", "steps-1"}
    card = (tmp_path / "run" / "generator" / "README.md").read_text()
    assert "## Re-enactment\n1 TRAIN videos that trained nothing" in card and card.index("## Limits") > card.index(
        "## R"
    )
    assert "## Re-enactment" not in (trained / "generator" / "README.md").read_text()


def test_the_chosen_number_of_steps_is_the_models_default(trained, root, tmp_path, monkeypatch):
    shutil.copytree(trained, tmp_path / "run")
    judge = train_generator.judge_kept_aside
    monkeypatch.setattr(train_generator, "judge_kept_aside", lambda *a, **b: replace(judge(*a, **b), steps=1))
    run(short_job(tmp_path / "run", root, "reenactment.videos=1", "reenactment.curve=[]"))
    assert MCDMPipeline.load(str(tmp_path / "run" / "generator")).config["steps"] == 1
    assert MCDMPipeline.load(str(trained / "generator")).config["steps"] == 4


def test_training_goes_on_from_the_weights_of_a_generator(trained, root, tmp_path):
    other = write_phantoms(tmp_path / "other", 8, seed=9, workers=1)
    source = trained / "generator"
    still = ("preset.codec.steps=0", "preset.reid.steps=0", "preset.mafe.steps=0", "preset.transport.steps=0")
    run(short_job(tmp_path / "out", other, f"start={source}", *still, "preset.denoiser.steps=1"))
    before, after = (MCDMPipeline.load(str(folder)) for folder in (source, tmp_path / "out" / "generator"))
    for name in ("vae", "reid", "mafe", "transport"):
        ours, theirs = (getattr(pipeline, name).state_dict() for pipeline in (after, before))
        assert all(torch.equal(ours[key], value) for key, value in theirs.items()), name
    assert 0 < moved(before, after) < 0.05, "one step from those weights, not from fresh ones"
    assert after.transport.config["scale"] == before.transport.config["scale"]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    card = (tmp_path / "out" / "generator" / "README.md").read_text()
    assert f"Started from**: the generator of a folder, hash `{report['start']}`" in card and str(source) not in card
    assert "start=GENERATOR" in card and "told by its own card" in card
    known = {content_hash(row.path) for folder in (root, other) for row in read_table(folder).split("TRAIN")}
    assert set(json.loads((tmp_path / "out" / "generator" / "training_hearts.json").read_text())["content"]) == known
    with pytest.raises(EchoAugmentError, match=r"other settings \(start\)"):
        run(short_job(tmp_path / "out", other, *still, "preset.denoiser.steps=1"))


def test_a_start_that_a_held_out_video_trained_is_refused(trained, root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "copy")
    train, val = (read_table(copy).split(split)[0].path for split in ("TRAIN", "VAL"))
    val.write_bytes(train.read_bytes())
    with pytest.raises(EchoAugmentError, match=rf"{val.name}: a VAL video trained the generator"):
        run(short_job(tmp_path / "out", copy, f"start={trained / 'generator'}"))


@pytest.mark.parametrize("stage", ["transport", "denoiser"])
def test_a_killed_stage_ends_as_one_that_was_not(trained, root, tmp_path, monkeypatch, stage):
    """Killed after its checkpoint of step 1: the same weights, bit by bit."""
    out = shutil.copytree(trained, tmp_path / "run")
    done = json.loads((out / "stages.json").read_text())
    for name in ("transport", "copies", "denoiser") if stage == "transport" else ("denoiser",):
        del done["done"][name]
        (out / "checkpoints" / f"{name}.ckpt").unlink(missing_ok=True)
        shutil.rmtree(out / name, ignore_errors=True)
        (out / f"{name}.npy").unlink(missing_ok=True)
    (out / "stages.json").write_text(json.dumps(done))
    once = f"preset.{stage}.save_every=1"
    done["settings"]["preset"][stage]["save_every"] = 1
    (out / "stages.json").write_text(json.dumps(done))
    loss_of, calls = (transport_loss if stage == "transport" else denoising_loss), []
    module = f"echo_augment.training_recipes.generator.{stage}.{loss_of.__name__}"

    def dies(*args, **kwargs):
        loss = loss_of(*args, **kwargs)

        def called(model, batch):
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return loss(model, batch)

        return called

    with monkeypatch.context() as patch:
        patch.setattr(module, dies)
        with pytest.raises(KeyboardInterrupt):
            run(short_job(out, root, once))
    assert (out / "checkpoints" / f"{stage}.ckpt").exists() and not (out / stage).exists()
    run(short_job(out, root, once))
    assert weights_of(out, stage) == weights_of(trained, stage) != {}
