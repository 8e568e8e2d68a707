"""The ``import`` job as users run it: the guide's commands on a real cine, settings out of range, the contact sheet."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_module
from PIL import Image
from pydicom.data import get_testdata_file
from torch.utils.data import DataLoader

from echo_augment.augmentor import CachedClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic, read_table, read_video
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.cli import main
from echo_augment.training_recipes.jobs.import_data import run
from tests.fakes.cines import beating, header, save, with_letters

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "how-to" / "import.md"


def train(data: Path, cache: Path) -> list[float]:
    """Some steps of a training on the wrapped data set; returns the losses."""
    base = EchoNetDynamic(data, split="train", mean=32.7, std=49.9, length=16, require_tracings=False)
    wrapped = SyntheticAugment(base, CachedClips(cache), p=0.5, mode="extend")
    net = torch.nn.Sequential(torch.nn.Conv3d(3, 4, 3, stride=4), torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten())
    net.append(torch.nn.Linear(4, 1))
    torch.nn.init.constant_(net[-1].bias, 55.0)
    optimiser, losses = torch.optim.SGD(net.parameters(), lr=1e-4), []
    for epoch in range(3):
        wrapped.set_epoch(epoch)
        for video, ef in DataLoader(wrapped, batch_size=2):
            loss = torch.nn.functional.mse_loss(net(video)[:, 0], ef.float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
    return losses


# 30 frames at 30/s are shorter than the bundled generator's clips of 1.2 s.
CINES = [
    ("examples_ybr_color.dcm", "fps=20"),
    pytest.param("color3d_jpeg_baseline.dcm", "", marks=pytest.mark.slow),
]


def scans(name: str, folder: Path) -> Path:
    """A folder with this real cine of pydicom's."""
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"{name} is not at hand (pip install pydicom-data)")
    folder.mkdir()
    shutil.copy(path, folder)
    return folder


@pytest.mark.parametrize(("name", "more"), CINES)
def test_the_guides_commands_on_a_real_cine(name, more, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scans(name, tmp_path / "scans")
    (tmp_path / "labels.csv").write_text("PatientID,EF\n204,57\n")
    guide = re.findall(r"^\$ (echo-augment .*)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [line.split()[1] for line in guide] == ["import", "doctor", "fill-cache"]
    for line in guide:
        settings = {"import": f" {more} workers=1", "fill-cache": " device=cpu"}.get(line.split()[1], "")
        monkeypatch.setattr(sys, "argv", shlex.split(line.replace("n=1000", "n=2") + settings))
        main()
    said = capsys.readouterr().out
    assert "an aid, not a guarantee" in said and "1 of 1 rows joined" in said
    table = read_table(tmp_path / "data" / "mine")
    assert [row.ef for row in table.rows] == [57.0]
    losses = train(tmp_path / "data" / "mine", tmp_path / "cache" / "mine")
    assert len(losses) >= 3 and np.isfinite(losses).all()
    nothing_legible(tmp_path / "data" / "mine", table.rows[0].path)


def test_a_real_cine_of_120_frames_has_no_letter_left(tmp_path):
    files = scans("color3d_jpeg_baseline.dcm", tmp_path / "scans")
    run(config(tmp_path / "set", "source=dicom", f"files={files}", "workers=1"))
    (row,) = read_table(tmp_path / "set").rows
    assert len(read_video(row.path)[0]) == 120
    nothing_legible(tmp_path / "set", row.path)


def nothing_legible(data: Path, video: Path) -> None:
    """Beside the sector all is black: the scanner's name, MI, depth and menu stood there."""
    brightest = read_video(video)[0].max(axis=0)
    rows, columns = np.nonzero(brightest > 40)
    seen = np.zeros_like(brightest, np.bool_)
    seen[rows, columns] = True
    assert seen[:, :8].mean() < 0.35 and seen[:40, :12].mean() < 0.02 and seen[:40, -12:].mean() < 0.02
    sheet = np.asarray(Image.open(next(data.glob("contact_sheet_*.png"))))
    assert sheet.shape[0] > 200 and sheet.shape[1] >= 5 * 200
    assert not list(data.glob(".hydra")), "the command line would tell names of folders"
    text = (data / "report.json").read_text() + (data / "FileList.csv").read_text()
    assert not [name for name in ("scans", "204", "PLA", "examples_ybr", "color3d", "1.2.840") if name in text]


def config(out: Path, *settings: str):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return compose("import", [f"out={out}", *settings])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["source=tape", "files=x"], "from must be one of"),
        (["source=dicom", "files=3"], "data must be a folder"),
        (["source=dicom", "files=x", "region=[1,2,3]"], "region must be"),
        (["source=dicom", "files=x", "size=3"], "size must be"),
        (["source=dicom", "files=x", "splits=[1,1,1]"], "three shares"),
        (["source=dicom", "files=nowhere_at_all"], "no such folder"),
        (["source=dicom", "files=x", "workers=0"], "workers must be"),
    ],
)
def test_wrong_settings_are_said_before_any_work(tmp_path, settings, message):
    with pytest.raises(EchoAugmentError, match=message):
        run(config(tmp_path / "out", *settings))
    assert not (tmp_path / "out").exists()


def test_report_and_sheets_and_what_is_said(tmp_path, capsys):
    for number in range(3):
        luma = with_letters(beating(20, 120, 160, number))
        dataset = header(luma.shape, PatientID=f"P{number}")
        dataset.PixelData = luma.tobytes()
        save(dataset, tmp_path / "scans" / f"DOE_{number}.dcm")
    out = tmp_path / "set"
    run(config(out, "source=dicom", f"files={tmp_path / 'scans'}", "workers=1"))
    report = json.loads((out / "report.json").read_text())
    assert report["clips"] == 3 and report["patients"] == 3 and report["sheets"] == ["contact_sheet_1.png"]
    assert report["config"]["files"] == "(not kept)" and "DOE" not in (out / "report.json").read_text()
    assert "too small to tell letters" in next(iter(report["notes"].values()))[-1]
    said = capsys.readouterr().out
    assert "a new key was made" in said and str(out / "report.json") in said.splitlines()[-1]
