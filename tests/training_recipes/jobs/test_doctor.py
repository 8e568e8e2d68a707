"""The doctor lists every problem at once, with a remedy for each, and its exit code says whether there are errors."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from hydra import compose, initialize_config_module
from safetensors.torch import save_file

from echo_augment.augmentor.data import write_video
from echo_augment.augmentor.mcdm.pipeline import BUNDLED, MCDMPipeline
from echo_augment.cache import EchoClip, Provenance, StoreWriter
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.cli import main
from echo_augment.training_recipes.common.settings import settings_from
from echo_augment.training_recipes.doctor.training import StageForecast
from echo_augment.training_recipes.jobs import doctor

HEADER = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"


def video(path, seed, frames=70, size=(24, 32)):
    write_video(path, np.random.default_rng(seed).integers(0, 256, (frames, *size), dtype=np.uint8), 50)


def lines(name, frame, half_width):
    chords = [f"{name},{15 - half_width},{4 + 0.6 * y},{15 + half_width},{4 + 0.6 * y},{frame}" for y in range(20)]
    return [f"{name},15,3,15,17,{frame}", *chords]


@pytest.fixture
def root(tmp_path):
    """A, B, C of TRAIN, V and T, nothing wrong with them."""
    folder = tmp_path / "data"
    for seed, name in enumerate("ABCVT"):
        video(folder / "Videos" / f"{name}.avi", seed)
    splits = dict(zip("ABCVT", ("TRAIN", "TRAIN", "TRAIN", "VAL", "TEST"), strict=True))
    rows = [f"{name},50,50,100,24,32,50,70,{split}" for name, split in splits.items()]
    (folder / "FileList.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    traced = [line for name in splits for line in [*lines(name, 30, 5.6), *lines(name, 3, 8)]]
    (folder / "VolumeTracings.csv").write_text("\n".join(["FileName,X1,Y1,X2,Y2,Frame", *traced]) + "\n")
    return folder


def add_rows(root, *rows):
    with (root / "FileList.csv").open("a") as file:
        file.write("\n".join(rows) + "\n")


def examine(tmp_path, **settings):
    """Run the job; its report and the error, if there is one."""
    overrides = [f"out={tmp_path / 'out'}", *(f"{key}={value}" for key, value in settings.items())]
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        config = compose("doctor", overrides)
    error = None
    try:
        doctor.run(config)
    except EchoAugmentError as caught:
        error = caught
    return json.loads((tmp_path / "out" / "report.json").read_text()), error


def found(report, area="data"):
    return {(item["level"], item["kind"]) for item in report["findings"] if item["area"] == area}


def test_a_healthy_folder(root, tmp_path, capsys):
    report, error = examine(tmp_path, **{"data.root": root})
    assert error is None and found(report) == set() and report["errors"] == 0
    data = report["data"]
    assert data["videos"] == data["traced"] == 5 and data["splits"] == {"TRAIN": 3, "VAL": 1, "TEST": 1}
    assert data["ef"] == {"n": 5, "mean": 50, "sd": 0, "min": 50, "max": 50}
    assert data["fps"]["median"] == 50 and data["sizes"] == {"32x24": 5} and data["frames"]["min"] == 70
    assert report["machine"]["cores"] >= 1 and report["machine"]["versions"]["torch"]
    assert capsys.readouterr().out.strip().splitlines()[-1].endswith("report.json")


def test_everything_that_is_wrong_is_listed_at_once(root, tmp_path, capsys):
    videos = root / "Videos"
    whole = (videos / "A.avi").read_bytes()
    (videos / "cut.avi").write_bytes(whole[:5000])
    (videos / "empty.avi").write_bytes(b"")
    shutil.copy(videos / "T.avi", videos / "copy.avi")
    video(videos / "short.avi", 9, frames=10)
    video(videos / "large.avi", 10, size=(40, 40))
    video(videos / "unlisted.avi", 11)
    for seed, name in enumerate(("noef", "highef", "nosplit", "swapped", "volumes", "beyond", "counted")):
        video(videos / f"{name}.avi", 20 + seed)
    good = "50,50,100,24,32,50,70"
    add_rows(
        root,
        f"cut,{good},TRAIN",
        f"empty,{good},TRAIN",
        f"copy,{good},TRAIN",
        f"gone,{good},VAL",
        "short,50,50,100,24,32,50,10,TRAIN",
        f"large,{good},TRAIN",
        "noef,,50,100,24,32,50,70,TRAIN",
        "highef,500,50,100,24,32,50,70,TRAIN",
        f"nosplit,{good},",
        f"swapped,{good},TRAIN",
        "volumes,20,50,100,24,32,50,70,TRAIN",
        f"beyond,{good},TRAIN",
        "counted,50,50,-100,24,32,50,71,TRAIN",
        f"A,{good},TRAIN",
        f"../evil,{good},TRAIN",
        "too,short",
    )
    with (root / "VolumeTracings.csv").open("a") as file:
        file.write(
            "\n".join([*lines("swapped", 1, 8), *lines("swapped", 2, 4), *lines("beyond", 99, 3), "A,x,1,1,1,3"])
        )
    report, error = examine(tmp_path, **{"data.root": root})
    errors = {kind for level, kind in found(report) if level == "error"}
    warnings = {kind for level, kind in found(report) if level == "warning"}
    assert errors == {"video", "leak", "missing", "EF", "split", "duplicate", "name", "row"}
    assert warnings == {"short", "size", "unlisted", "order", "volumes", "tracing", "untraced", "frames", "EDV", "area"}
    assert error is not None and f"{report['errors']} errors and" in str(error)
    broken = {
        item["message"].split("Videos/")[1].split(":")[0] for item in report["findings"] if item["kind"] == "video"
    }
    assert broken == {"cut.avi", "empty.avi"}
    assert all(item["remedy"] and item["message"] for item in report["findings"])
    assert "copy shows the same video as held-out T" in capsys.readouterr().out


def test_many_problems_of_a_kind_are_counted_in_print_and_whole_in_the_report(root, tmp_path, capsys):
    add_rows(root, *(f"gone{number},50,50,100,24,32,50,70,TRAIN" for number in range(9)))
    report, _ = examine(tmp_path, **{"data.root": root, "show": 2})
    printed = capsys.readouterr().out
    assert printed.count("ERROR [missing]") == 3 and "... and 7 more" in printed
    assert sum(item["kind"] == "missing" for item in report["findings"]) == 9


def test_many_rows_without_a_video_are_one_line_that_says_what_can_be_used(root, tmp_path, capsys):
    add_rows(root, *(f"gone{number},50,50,100,24,32,50,70,TRAIN" for number in range(100)))
    report, error = examine(tmp_path, **{"data.root": root})
    printed = capsys.readouterr().out
    assert printed.count("ERROR [missing]") == 1
    assert "100 rows name videos that are not there" in printed
    assert "the others can be used (TEST 1, TRAIN 3, VAL 1)" in printed
    assert str(error).startswith("100 rows without a video, 0 other errors and ")
    assert sum(item["kind"] == "missing" for item in report["findings"]) == 100


def test_an_ef_in_another_unit_is_an_error_and_is_read_if_named(root, tmp_path, monkeypatch):
    table = root / "FileList.csv"
    table.write_text(table.read_text().replace(",50,50,100,", ",0.5,50,100,"))
    report, error = examine(tmp_path, **{"data.root": root})
    assert error is not None and "column EF ranges from 0.5 to 0.5" in report["findings"][-1]["message"]
    report, error = examine(tmp_path, **{"data.root": root, "data.ef_unit": "fraction"})
    assert error is None and report["data"]["ef"]["mean"] == 50


def test_a_bad_frame_in_the_middle_is_found_by_decoding(root, tmp_path):
    path = root / "Videos" / "B.avi"
    content = bytearray(path.read_bytes())
    starts = [place for place in range(len(content)) if content[place : place + 2] == b"\xff\xd8"]
    content[starts[40] : starts[41] - 8] = bytes(starts[41] - 8 - starts[40])
    path.write_bytes(content)
    assert found(examine(tmp_path, **{"data.root": root})[0]) == set()
    assert found(examine(tmp_path, **{"data.root": root, "decode": True})[0]) == {("error", "video")}


@pytest.mark.parametrize("missing", ["FileList.csv", "Videos", "everything"])
def test_a_wrong_folder(root, tmp_path, missing):
    if missing == "everything":
        root = tmp_path / "nowhere"
    elif missing == "Videos":
        shutil.rmtree(root / "Videos")
    else:
        (root / missing).unlink()
    report, error = examine(tmp_path, **{"data.root": root})
    assert found(report) == {("error", "folder")} and error is not None


def test_missing_tracings_are_a_warning(root, tmp_path):
    (root / "VolumeTracings.csv").unlink()
    report, error = examine(tmp_path, **{"data.root": root})
    assert error is None and found(report) == {("warning", "tracing")}


# ---------------------------------------------------------------------------------------------- cache, generator
def fill(folder, donors):
    frames = np.zeros((4, 8, 8), np.uint8)
    with StoreWriter(folder, fingerprint="f") as writer:
        for number, name in enumerate(donors):
            provenance = Provenance(motion_donor=name, appearance_donor="A", seed=number, fingerprint="f")
            writer.add(EchoClip(f"c{number}", frames, 12.5, ef=50.0, provenance=provenance))


def test_a_cache(root, tmp_path):
    fill(tmp_path / "cache", ["A", "B"])
    report, error = examine(tmp_path, **{"data.root": root, "cache": tmp_path / "cache"})
    assert error is None and found(report, "cache") == set()
    assert (report["cache"]["clips"], report["cache"]["fingerprint"], report["cache"]["donors"]) == (2, "f", 2)


def test_a_cache_with_held_out_donors(root, tmp_path):
    fill(tmp_path / "cache", ["A", "T"])
    report, error = examine(tmp_path, **{"data.root": root, "cache": tmp_path / "cache"})
    assert found(report, "cache") == {("error", "leak")} and error is not None


def test_caches_that_are_none(tmp_path):
    (tmp_path / "bare").mkdir()
    for folder in ("bare", "nowhere"):
        report, _ = examine(tmp_path, cache=tmp_path / folder)
        assert found(report, "cache") == {("error", "broken")}


@pytest.fixture
def pipeline(tmp_path):
    folder = tmp_path / "generator"
    (folder / "unet").mkdir(parents=True)
    index = {"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet"], "safety": [None, None]}
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "unet" / "config.json").write_text("{}")
    save_file({"weight": torch.ones(3, 4)}, folder / "unet" / "model.safetensors")
    return folder


def test_a_generator(pipeline, tmp_path):
    report, error = examine(tmp_path, generator=pipeline)
    assert error is None and found(report, "generator") == set()
    assert report["generator"]["parameters"] == 12 and report["generator"]["components"] == ["unet"]


def test_the_bundled_generator(tmp_path):
    report, error = examine(tmp_path, generator="bundled")
    assert error is None and found(report, "generator") == set()
    assert set(report["generator"]["components"]) == {"denoiser", "mafe", "reid", "scheduler", "transport", "vae"}
    assert report["generator"]["parameters"] > 100_000


def test_a_generator_saved_again_and_one_of_other_components(tmp_path):
    MCDMPipeline.load("bundled").save_pretrained(tmp_path / "mine")
    report, error = examine(tmp_path, generator=tmp_path / "mine")
    assert error is None and found(report, "generator") == set()
    DDPMPipeline(
        UNet2DModel(
            8, block_out_channels=(32, 32), down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2
        ),
        DDPMScheduler(),
    ).save_pretrained(tmp_path / "other")
    report, error = examine(tmp_path, generator=tmp_path / "other")
    assert error is None and report["generator"]["components"] == ["scheduler", "unet"]


def test_lists_among_a_pipelines_settings_are_no_components(pipeline, tmp_path):
    index = json.loads((pipeline / "model_index.json").read_text())
    index |= {"mean": [0.1, 0.2], "names": ["LV area", "LV length"], "sizes": [112, 112], "none": []}
    (pipeline / "model_index.json").write_text(json.dumps(index))
    report, error = examine(tmp_path, generator=pipeline)
    assert error is None and report["generator"]["components"] == ["unet"]


def test_a_generator_of_the_hub(pipeline, tmp_path, monkeypatch):
    monkeypatch.setattr(MCDMPipeline, "download", lambda name: {"someone/echo-mcdm": str(pipeline)}[name])
    report, error = examine(tmp_path, generator="someone/echo-mcdm")
    assert error is None and report["generator"]["parameters"] == 12

    def offline(name):
        raise OSError("We couldn't connect to 'https://huggingface.co'\nmore lines")

    monkeypatch.setattr(MCDMPipeline, "download", offline)
    report, error = examine(tmp_path, generator="someone/echo-mcdm")
    assert found(report, "generator") == {("error", "folder")}
    [finding] = [one for one in report["findings"] if one["area"] == "generator"]
    assert "the Hub does not give it (We couldn't connect" in finding["message"] and "bundled" in finding["remedy"]


def test_the_folder_of_the_training_instead_of_its_generator(pipeline, tmp_path):
    report, _ = examine(tmp_path, generator=tmp_path)
    [finding] = [one for one in report["findings"] if one["area"] == "generator"]
    assert finding["remedy"] == f"Give {pipeline}"


def test_generators_that_cannot_be_used(pipeline, tmp_path):
    weights = pipeline / "unet" / "model.safetensors"

    def kinds():
        return {kind for _, kind in found(examine(tmp_path, generator=pipeline)[0], "generator")}

    (pipeline / "unet" / "old.bin").write_bytes(b"pickle")
    assert kinds() == {"pickle"}
    (pipeline / "unet" / "old.bin").unlink()
    save_file({"weight": torch.full((2,), float("nan"))}, weights)
    assert kinds() == {"weights"}
    weights.write_bytes(weights.read_bytes()[:20])
    assert kinds() == {"weights"}
    (pipeline / "unet" / "config.json").write_text("{")
    assert kinds() == {"weights", "json"}
    shutil.rmtree(pipeline / "unet")
    assert kinds() == {"weights", "component"}
    (pipeline / "model_index.json").unlink()
    assert kinds() == {"folder"}


def test_the_command_exits_with_one_where_there_are_errors(root, tmp_path, monkeypatch, capsys):
    (root / "Videos" / "A.avi").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["echo-augment", "doctor", f"data.root={root}", f"out={tmp_path / 'out'}"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 1 and "A.avi: is empty (0 bytes)" in said.out
    assert said.err.strip().splitlines()[-1].startswith("error: 1 error and")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["errors"] == 1


@pytest.mark.parametrize("fault", ["no config", "no weights", "other weights", "a list"])
def test_a_generator_that_does_not_load_is_found(tmp_path, fault):
    folder = tmp_path / "mine"
    shutil.copytree(BUNDLED, folder)
    weights = "diffusion_pytorch_model.safetensors"
    if fault == "no config":
        (folder / "reid" / "config.json").unlink()
    elif fault == "no weights":
        (folder / "vae" / weights).unlink()
    elif fault == "other weights":
        shutil.copy(folder / "reid" / weights, folder / "vae" / weights)
    else:
        (folder / "model_index.json").write_text("[]")
    report, error = examine(tmp_path, generator=folder)
    assert error is not None and found(report, "generator") == {("error", "loading")}


def forecasts(**given):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        config = compose("doctor", ["out=x", *(f"{key}={value}" for key, value in given.items())])
    return settings_from(config, doctor.DoctorSettings).forecasts


def test_a_device_alone_or_a_preset_asks_for_a_forecast():
    assert forecasts() is None and forecasts(device="cpu", cache="somewhere") is None
    assert forecasts(device="cpu").name == "tiny"
    asked = forecasts(preset="paper", **{"preset.denoiser.batch": 4, "cache": "somewhere"})
    assert asked.name == "paper" and asked.denoiser.batch == 4


def test_a_forecast_is_reported_on_the_videos_that_are_given(root, tmp_path, capsys, monkeypatch):
    asked = []

    def forecast(preset, device, precision, *, videos):
        asked.append((preset.name, device.type, videos))
        stage = StageForecast(stage="latents", batch=None, fit=None, seconds=2.0, count=videos)
        return {"hours": 0.1, "stages": {"latents": stage.to_json()}}, [], [stage]

    monkeypatch.setattr(doctor, "forecast", forecast)
    report, error = examine(tmp_path, device="cpu", preset="base", **{"data.root": root})
    assert error is None and asked == [("base", "cpu", 3)]
    assert report["training"]["stages"]["latents"]["seconds"] == 2
    said = capsys.readouterr().out
    assert "| latents |" in said and "stages:" not in said
    examine(tmp_path, device="cpu", preset="base", **{"data.root": tmp_path / "missing"})
    assert asked[-1][2] == 7465


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_error():
    with pytest.raises(EchoAugmentError, match="device=cuda, but torch finds no CUDA device here"):
        forecasts(device="cuda")
