"""The README's figures come from reports and configurations, and land in their places alone."""

import io
import json
from types import SimpleNamespace

import pytest
from fakes.report import ARMS, level, masks_report, whole
from PIL import Image

from echo_augment.augmentor.mcdm import MCDMPipeline
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.evaluation.studies import front_page
from echo_augment.evaluation.studies.front_page import Results, clips_sentence, of_report, replaced, results

TINY = {"preset": "tiny", "frames": 16, "size": 112, "rate": 12.5, "code": "transport", "steps": 0}
PAGE = (
    "a\n<!-- --8<-- [start:clips] -->\n<!-- --8<-- [end:clips] -->\nb\n"
    "<!-- --8<-- [start:results] -->\nold\n<!-- --8<-- [end:results] -->\nc\n"
)


def pipeline(flow="teacher", features=(), **config):
    transport = SimpleNamespace(config={"flow": flow, "features": features})
    return SimpleNamespace(config={**TINY, **config}, transport=transport)


@pytest.fixture(scope="module")
def report():
    return whole([level(16, 1.0)], verdict="It helped.")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (pipeline(), ["**without any diffusion step**", "**MAFE's features play no part**", "phantoms only"]),
        (pipeline(steps=1), ["then 1 denoising step of diffusion on what the warp leaves open"]),
        (pipeline("mafe", (8, 16), steps=4), ["4 denoising steps", "comes from MAFE's motion features."]),
        (pipeline("mafe"), ["MAFE's optical flow"]),
        (pipeline(code="vector", steps=128), ["diffusion, 128 denoising steps", "MAFE's motion features"]),
    ],
)
def test_the_sentence_says_what_makes_the_clips(made, said):
    assert all(words in clips_sentence(made) for words in said)


def test_figures_are_the_reports(report):
    found = Results.from_json(json.loads(json.dumps(of_report(report).to_json())))
    assert list(found.arms) == list(ARMS) and found.seeds == 3 and found.fingerprint == "abc"
    arm, diff = report.arms["synthetic"]["mae"], report.contrast("synthetic-classical", "mae")
    text = results(found)
    assert "16 labelled of 200 TRAIN videos, 80 TEST videos, 3 seeds, 400 steps an arm" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| `synthetic` |")]
    assert f"| {arm.mean:.2f} ({arm.ci[0]:.2f} to {arm.ci[1]:.2f}) |" in row and f"{diff.diff:+.2f} (" in row
    with pytest.raises(EchoAugmentError, match="a report of segmentation on phantom data"):
        of_report(masks_report(0.02))


def test_only_its_places_change(tmp_path, report, monkeypatch):
    (tmp_path / "README.md").write_text(PAGE)
    (tmp_path / "docs" / "evidence").mkdir(parents=True)
    (tmp_path / "report.json").write_text(json.dumps(report.to_json()))
    monkeypatch.setattr(front_page, "picture", lambda pipeline: b"GIF89a")
    front_page.write(tmp_path, tmp_path / "report.json", pipeline())
    first = (tmp_path / "README.md").read_text()
    front_page.write(tmp_path, None, pipeline())
    assert (tmp_path / "README.md").read_text() == first
    outside = first.replace(clips_sentence(pipeline()) + "\n", "").replace(results(of_report(report)), "old")
    assert outside == PAGE and (tmp_path / "docs" / "assets" / "pairs.gif").read_bytes() == b"GIF89a"
    with pytest.raises(EchoAugmentError, match="no single place"):
        replaced(PAGE, "nothing", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"task": "ef"}', "a report lacks"),
        ("[1", "no JSON"),
        (json.dumps(masks_report(0.02).to_json()), "a report of segmentation on phantom data"),
    ],
)
def test_an_error_names_the_report(tmp_path, text, said):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(EchoAugmentError, match=said) as found:
        front_page.read_results(tmp_path / "report.json")
    assert str(found.value).startswith(f"{tmp_path / 'report.json'}: ")


def test_the_picture_has_both_donors_the_clip_and_the_truth(monkeypatch):
    monkeypatch.setattr(front_page, "PAIRS", 1)
    with Image.open(io.BytesIO(front_page.picture(MCDMPipeline.load("bundled")))) as film:
        assert film.n_frames == 16 and film.width == 4 * 112 + 3 * 4
        still = film.convert("L")
        film.seek(5)
        assert still.tobytes() != film.convert("L").tobytes()


def test_the_command_says_where_to_look_or_what_is_wrong(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(front_page.MCDMPipeline, "load", lambda name: pipeline())
    assert front_page.main([]) == front_page.main(["a", "b", "c"]) == 2
    assert front_page.main([str(tmp_path)]) == 1
    assert "results.json" in capsys.readouterr().err
