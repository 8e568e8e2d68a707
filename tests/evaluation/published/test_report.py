"""The report says what was computed with which files, and what it cannot tell."""

from dataclasses import replace

from echo_augment.evaluation.published.measure import Row
from echo_augment.evaluation.published.report import PublishedMetrics
from echo_augment.evaluation.published.scores import InceptionScore

EMPTY = Row(videos=30, long=0, fvd16=12.34, fvd128=None, fid=None, inception=None, lpips=None, diversity=None)
FOUND = PublishedMetrics(
    rows={
        "real": EMPTY,
        "codec": replace(EMPTY, lpips=0.12345, diversity=0.5),
        "clips": replace(EMPTY, fid=7.0, inception=InceptionScore(mean=2.25, sd=0.125)),
    },
    real=30,
    names=("fvd16", "fvd128", "fid", "is", "lpips"),
    fps=32.0,
    size=112,
    images=16,
    files={"i3d_torchscript.pt": "abc"},
    lpips="alex",
)


def test_the_text_has_every_figure_the_files_and_the_warning():
    text = FOUND.text()
    for said in ("12.3", "0.1235", "7.0", "2.25 ± 0.12", "i3d_torchscript.pt abc", "issue #5", "floor", "(32 frames"):
        assert said in text, said
    assert "protocol has 2,048 videos a set; with 30" in text and "No video has 128 frames" in text


def test_a_full_protocol_has_no_such_remarks():
    rows = {"real": replace(EMPTY, long=2000, fvd128=1.0)}
    text = replace(FOUND, real=2048, rows=rows).text()
    assert "protocol has" not in text and "No video" not in text


def test_json_leaves_out_what_could_not_be_had():
    found = FOUND.to_json()
    assert found["rows"]["real"] == {"videos": 30, "long": 0, "fvd16": 12.34}
    assert found["rows"]["clips"]["inception"] == {"mean": 2.25, "sd": 0.125}
    assert found["weights"] == {"i3d_torchscript.pt": "abc"} and "issue #5" in found["warning"]
