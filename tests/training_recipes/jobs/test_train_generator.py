"""The generator's stages on a handful of phantoms: they run whole, are skipped once done, and see TRAIN only."""

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from hydra import compose, initialize_config_module
from omegaconf import open_dict

from echo_augment.augmentor.data import content_hash, read_table
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.generator import training
from echo_augment.training_recipes.generator.codec import Latents
from echo_augment.training_recipes.generator.denoiser import denoising_loss
from echo_augment.training_recipes.generator.motions import Motions
from echo_augment.training_recipes.generator.prepare import prepare
from echo_augment.training_recipes.generator.student import consistency_loss
from echo_augment.training_recipes.jobs.train_generator import run

SHORT = [
    "preset.codec.steps=3",
    "preset.reid.steps=2",
    "preset.reid.hearts=4",
    "preset.mafe.steps=2",
    "preset.mafe.batch=4",
    "preset.transport.steps=2",
    "preset.transport.batch=8",
    "preset.denoiser.steps=2",
    "preset.denoiser.batch=2",
    "preset.couplings.clips=5",
    "preset.couplings.batch=2",
    "preset.couplings.steps=2",
    "preset.student.steps=2",
    "preset.student.batch=2",
    "preset.codec.hearts=4",
    "precision=no",
    "device=cpu",
]


def compose_job(out, root, *more):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose(
            "train-generator", overrides=[f"out={out}", "data=echonet", *SHORT, *more], return_hydra_config=False
        )
    with open_dict(cfg):
        cfg.data.root = str(root)
    return cfg


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_phantoms(tmp_path_factory.mktemp("data") / "phantom", 8, seed=6, workers=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, root):
    out = tmp_path_factory.mktemp("run")
    run(compose_job(out, root))
    return out


def test_the_pipeline_loads_and_the_report_names_every_stage(trained):
    pipeline = MCDMPipeline.load(str(trained / "generator"))
    assert pipeline.config["preset"] == "tiny" and pipeline.config["code_mean"] == [0.0]
    assert pipeline.transport.config["scale"] == pipeline.denoiser.config["motion_scale"]
    assert pipeline.vae.config["scaling_factor"] != 1 and pipeline.denoiser.config["motion_scale"] > 0
    report = json.loads((trained / "report.json").read_text())
    stages = ["codec", "latents", "reid", "pseudo", "mafe", "motions", "transport", "denoiser"]
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
    run(compose_job(trained, root))
    printed = capsys.readouterr().out
    assert printed.count("done before") == 8
    assert json.loads((trained / "report.json").read_text())["fingerprint"] == before


def test_other_settings_are_refused(trained, root):
    with pytest.raises(EchoAugmentError, match=r"run with other settings \(preset.denoiser.channels\)"):
        run(compose_job(trained, root, "preset.denoiser.channels=[32,32,64]"))


def test_the_settings_of_a_plain_run_are_preset_seed_and_videos(trained):
    settings = json.loads((trained / "stages.json").read_text())["settings"]
    assert set(settings) == {"preset", "seed", "videos"}
    assert "sampler_steps" not in settings["preset"], "another number of steps trains nothing anew"


def test_a_codec_from_elsewhere_is_taken_and_told(tmp_path, root, trained):
    foreign = AutoencoderKL.from_pretrained(trained / "codec")
    with torch.no_grad():
        for parameter in foreign.decoder.parameters():
            parameter.mul_(0.5)
    foreign.save_pretrained(tmp_path / "vae")
    run(compose_job(tmp_path / "out", root, f"+codec={tmp_path / 'vae'}", "+only=codec"))
    with pytest.raises(EchoAugmentError, match=r"run with other settings \(codec\)"):
        run(compose_job(tmp_path / "out", root, "+only=codec"))
    run(compose_job(tmp_path / "out", root, f"+codec={tmp_path / 'vae'}"))
    pipeline = MCDMPipeline.load(str(tmp_path / "out" / "generator"))
    ours, theirs = pipeline.vae.state_dict(), foreign.state_dict()
    assert all((ours[key] - theirs[key]).abs().max() < 2e-3 for key in theirs)
    card = (tmp_path / "out" / "generator" / "README.md").read_text()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert f"taken from a folder; hash `{report['codec']}`" in card and "+codec=FOLDER" in card
    assert str(tmp_path) not in card and report["stages"]["codec"]["steps"] == 0


def test_an_ablation_of_mafe_reports_its_interpolation_and_trains_nothing_else(tmp_path, root):
    run(compose_job(tmp_path, root, "+losses=interp", "+only=mafe", "+log=[]"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert list(report["stages"]) == ["reid", "pseudo", "mafe"]
    assert report["losses"] == {"name": "interp", "reid": 0.0, "flow": 0.0}
    figures = report["stages"]["mafe"]
    assert 5 < figures["watched_psnr"] < 60 and -1 < figures["watched_ssim"] < 1 and figures["blend_psnr"] > 10
    assert not (tmp_path / "generator").exists()


@pytest.mark.parametrize("code", ["mafe", "flow"])
def test_codes_that_are_not_learned_need_no_transport(tmp_path, root, code):
    run(compose_job(tmp_path, root, f"preset.code={code}"))
    pipeline = MCDMPipeline.load(str(tmp_path / "generator"))
    assert pipeline.transport is None and len(pipeline.config["code_mean"]) == 50
    heart = prepare([], tmp_path / "hearts", rate=12.5, size=112).hearts[0]
    look = torch.from_numpy(heart.reference.copy())[None]
    assert pipeline(look, pipeline.encode_motion(heart)[None, :16]).clips.shape == (1, 16, 112, 112)
    assert "transport" not in json.loads((tmp_path / "report.json").read_text())["stages"]


@pytest.mark.parametrize("flow", ["mafe", "teacher"])
def test_codes_of_training_are_those_of_the_pipeline(tmp_path, root, flow):
    run(compose_job(tmp_path, root, f"preset.transport.flow={flow}"))
    pipeline = MCDMPipeline.load(str(tmp_path / "generator"))
    data = prepare([], tmp_path / "hearts", rate=12.5, size=112)
    motions = Motions(data, Latents(data, tmp_path / "latents.npy"), tmp_path / "flows.npy")
    heart = data.hearts[0]
    count = len(heart.grid)
    with torch.no_grad():
        flow = torch.from_numpy(motions.flows[:count].astype(np.float32))
        trained_on = pipeline.transport.encode(flow, motions.frames(np.arange(count)))
    torch.testing.assert_close(pipeline.encode_motion(heart), trained_on, atol=2e-2, rtol=2e-2)
    assert trained_on.std() > 1e-3


def weights_of(out, name):
    return {path.name: path.read_bytes() for path in (out / name).glob("*.safetensors")}


def test_settings_of_stages_to_come_may_change(trained, root, tmp_path):
    out = tmp_path / "run"
    run(compose_job(out, root, "+only=codec"))
    run(compose_job(out, root, "preset.denoiser.steps=3", "preset.transport.steps=1"))
    report = json.loads((out / "report.json").read_text())
    assert report["stages"]["denoiser"]["steps"] == 3 and report["stages"]["transport"]["steps"] == 1
    assert weights_of(out, "mafe") == weights_of(trained, "mafe") != {}
    with pytest.raises(EchoAugmentError, match=r"other settings \(preset.transport.steps\)"):
        run(compose_job(out, root, "preset.denoiser.steps=3"))


def test_what_another_run_made_with_equal_settings_is_taken(trained, root, tmp_path, capsys):
    out = tmp_path / "flow"
    run(compose_job(out, root, "preset.code=flow", f"+reuse={trained}"))
    assert f"taken from {trained}: hearts, codec, latents, reid, pseudo, mafe\n" in capsys.readouterr().out
    for name in ("codec", "reid", "mafe"):
        assert weights_of(out, name) == weights_of(trained, name) != {}
    alone = tmp_path / "alone"
    run(compose_job(alone, root, "preset.code=flow"))
    assert weights_of(out, "denoiser") == weights_of(alone, "denoiser") != weights_of(trained, "denoiser")


def test_another_run_that_shares_nothing_is_refused(trained, tmp_path):
    other = write_phantoms(tmp_path / "other", 10, seed=7, workers=1)
    with pytest.raises(EchoAugmentError, match=r"reuse=.*made with other settings \(videos\)"):
        run(compose_job(tmp_path / "out", other, f"+reuse={trained}"))
    with pytest.raises(EchoAugmentError, match=r"reuse=.*has no stages.json"):
        run(compose_job(tmp_path / "out", other, f"+reuse={other}"))


def test_other_videos_under_the_same_names_are_refused(trained, root, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    first, second = (row.path for row in read_table(copy).split("TRAIN")[:2])
    first.write_bytes(second.read_bytes())
    with pytest.raises(EchoAugmentError, match=rf"reuse=.*{first.stem}.* was another video there"):
        run(compose_job(tmp_path / "out", copy, f"+reuse={trained}"))


def test_a_student_is_a_pipeline_beside_its_teachers(trained, root):
    before = {path: path.read_bytes() for path in (trained / "generator").rglob("*.safetensors")}
    run(compose_job(trained, root, "+only=student"))
    student = MCDMPipeline.load(str(trained / "generator-student"))
    teacher = MCDMPipeline.load(str(trained / "generator"))
    assert student.config["steps"] == 1
    moved = [
        (ours - theirs).abs().max()
        for ours, theirs in zip(student.denoiser.parameters(), teacher.denoiser.parameters(), strict=True)
    ]
    assert max(moved) > 0 and before == {path: path.read_bytes() for path in before}
    assert "| student | 2 |" in (trained / "generator-student" / "README.md").read_text()
    assert "+only=student" in (trained / "generator-student" / "README.md").read_text()
    run(compose_job(trained, root))
    assert "student" not in (trained / "generator" / "README.md").read_text()
    assert "student" not in json.loads((trained / "report.json").read_text())["stages"]


def test_a_reflow_student_learns_from_couplings_that_are_made_once(trained, root, tmp_path, capsys, monkeypatch):
    reflow = ("+only=student", "preset.student.kind=reflow", f"+reuse={trained}")
    batches = []

    def watched_loss(*args, **kwargs):
        loss = denoising_loss(*args, **kwargs)
        return lambda model, batch: batches.append(batch) or loss(model, batch)

    monkeypatch.setattr(training, "denoising_loss", watched_loss)
    run(compose_job(tmp_path, root, *reflow))
    ends = np.load(tmp_path / "couplings.npy")
    assert ends.shape[:3] == (5, 16, 4) and np.isfinite(ends).all() and ends.std() > 0
    assert len(batches) == 2 and all(batch["noise"].shape == batch["latents"].shape for batch in batches)
    for clip in torch.cat([batch["latents"] for batch in batches]):
        assert any(np.array_equal(clip, end) for end in ends.astype(np.float32))
    card = (tmp_path / "generator-student" / "README.md").read_text()
    assert "+only=student preset.student.kind=reflow" in card
    assert "| couplings |  |" in card and "clips 5" in card and "| student | 2 |" in card
    capsys.readouterr()
    run(compose_job(tmp_path, root, *reflow))
    assert "couplings: done before" in capsys.readouterr().out
    with pytest.raises(EchoAugmentError, match=r"other settings \(preset\.couplings\.steps\)"):
        run(compose_job(tmp_path, root, "+only=student", "preset.student.kind=reflow", "preset.couplings.steps=3"))


def test_too_few_hearts_are_named(tmp_path):
    root = write_phantoms(tmp_path / "two", 2, seed=7, workers=1, splits=(1.0, 0.0, 0.0))
    with pytest.raises(EchoAugmentError, match="only 2 of 2 TRAIN videos can be used"):
        run(compose_job(tmp_path / "out", root))


@pytest.mark.parametrize("code", ["transport", "flow"])
def test_a_finished_generator_is_distilled_on_other_hearts(trained, root, tmp_path, code, monkeypatch):
    teacher = trained / "generator"
    if code == "flow":
        run(compose_job(tmp_path / "teacher", root, "preset.code=flow", f"+reuse={trained}"))
        teacher = tmp_path / "teacher" / "generator"
    config = json.loads((teacher / "model_index.json").read_text())
    teacher = shutil.copytree(teacher, tmp_path / "plain")
    (teacher / "model_index.json").write_text(json.dumps(config | {"detail": False}))
    other = write_phantoms(tmp_path / "other", 8, seed=8, workers=1)
    out = tmp_path / "run"
    scales = []

    def watched_loss(teacher, transport, scale, **kwargs):
        scales.append(scale)
        return consistency_loss(teacher, transport, scale, **kwargs)

    monkeypatch.setattr(training, "consistency_loss", watched_loss)
    run(compose_job(out, other, f"+distil={teacher}", f"preset.code={code}"))
    before, after = (MCDMPipeline.load(str(folder)) for folder in (teacher, out / "generator-student"))
    for name in ("vae", "reid", "mafe", "transport"):
        one, two = getattr(before, name), getattr(after, name)
        assert (one is None) == (two is None)
        assert one is None or all(torch.equal(two.state_dict()[key], value) for key, value in one.state_dict().items())
    for key in ("code_mean", "code_std", "frames", "rate"):
        assert after.config[key] == pytest.approx(before.config[key], rel=1e-6)
    assert after.config["detail"] is False
    assert scales == [before.denoiser.config["motion_scale"]] == [after.denoiser.config["motion_scale"]]
    moved = [
        (one - two).abs().max()
        for one, two in zip(before.denoiser.parameters(), after.denoiser.parameters(), strict=True)
    ]
    assert max(moved) > 0
    hashes = [
        set(json.loads((folder / "training_hearts.json").read_text())["content"])
        for folder in (teacher, out / "generator-student")
    ]
    learned_from = {content_hash(row.path) for row in read_table(other).split("TRAIN")}
    assert hashes[1] == hashes[0] | learned_from and not hashes[0] & learned_from
    card = (out / "generator-student" / "README.md").read_text()
    assert "Distilled from" in card and "+distil=GENERATOR" in card and str(tmp_path) not in card
    assert "told by its own card" in card and "phantoms only" not in card and "hearts trained the student" in card
    with pytest.raises(EchoAugmentError, match=r"other settings \(teacher\)"):
        run(compose_job(out, other, "+only=student", f"preset.code={code}"))


def test_a_generator_of_another_kind_is_not_distilled(trained, root, tmp_path):
    with pytest.raises(EchoAugmentError, match=r"distil=.* has rate=12\.5, not 25"):
        run(compose_job(tmp_path, root, f"+distil={trained / 'generator'}", "preset.rate=25"))


def test_a_teacher_that_a_held_out_video_trained_is_refused(trained, root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "copy")
    train, val = (read_table(copy).split(split)[0].path for split in ("TRAIN", "VAL"))
    val.write_bytes(train.read_bytes())
    with pytest.raises(EchoAugmentError, match=rf"{val.name}: a VAL video trained the generator"):
        run(compose_job(tmp_path / "out", copy, f"+distil={trained / 'generator'}"))
