"""The demo on real clips, with a stand-in for the generator."""

import json

import pytest
from fakes.benchmark import composed, load
from fakes.mini import MINI

from echo_augment.evaluation.benchmark import demo


@pytest.mark.skipif(not MINI.is_dir(), reason="the six real clips are not beside this checkout")
def test_the_demo_on_real_patients_runs_to_its_report(tmp_path, capsys):
    overrides = ["data=echonet", f"data.root={MINI}", f"out={tmp_path}", "clips=3", "seeds=[0]"]
    demo.run(composed("demo", *overrides), load)
    said = capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["data"] == "echonet"
    assert list(report["arms"]) == ["real", "synthetic"]
    assert report["contrasts"]["synthetic-real"]["mae"]["ci"] is None
    assert "1 test heart" in report["contrasts"]["synthetic-real"]["mae"]["reason"]
    assert any("oracle" in note for note in report["notes"])
    assert "trained on phantoms" in said
    assert "not claimed" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "contact_sheet.png").stat().st_size > 10_000
