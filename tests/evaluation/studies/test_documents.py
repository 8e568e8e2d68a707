"""What studies share: reports of jobs as types, generators that were measured alike, and a command with exit codes."""

import json

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.report.pages import Section, Words
from echo_augment.evaluation.studies.documents import (
    FidelityReport,
    GeneratorReport,
    StudiedGenerator,
    SwapFigures,
    check_alike,
    document_command,
    write_document,
    write_study,
)

SWAP = {"r2": 0.8, "mae": 5.04, "motion_weight": 0.9, "appearance_weight": 0.05}
TRAIN = {"hearts": 200, "stages": {"mafe": {"steps": 3, "watched_psnr": 30.5}}, "config": {"losses": "both"}}


def fidelity(**changes) -> dict:
    return {"pairs": 64, "seeds": [0], "reader": {"r2": 0.97}, "rows": {"generated": SWAP}, **changes}


def generator(**changes) -> StudiedGenerator:
    return StudiedGenerator(
        train=GeneratorReport.from_json(TRAIN), fidelity=FidelityReport.from_json(fidelity(**changes))
    )


def test_reports_are_read_as_far_as_a_study_needs_them(tmp_path):
    assert StudiedGenerator.read(tmp_path) is None
    (tmp_path / "fidelity").mkdir()
    (tmp_path / "report.json").write_text(json.dumps({**TRAIN, "job": "train-generator", "fingerprint": "f"}))
    assert StudiedGenerator.read(tmp_path) is None, "fidelity is not measured yet"
    (tmp_path / "fidelity" / "report.json").write_text(json.dumps({**fidelity(), "job": "fidelity"}))
    found = StudiedGenerator.read(tmp_path)
    assert found == generator() and found.train.videos == 200 and found.train.config.losses == "both"
    assert found.train.stages["mafe"].watched_psnr == 30.5 and found.fidelity.rows["generated"].psnr is None
    assert StudiedGenerator.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_report_of_another_job_is_named_by_what_it_lacks(tmp_path):
    (tmp_path / "fidelity").mkdir()
    (tmp_path / "report.json").write_text(json.dumps(TRAIN))
    (tmp_path / "fidelity" / "report.json").write_text(json.dumps({"pairs": 3}))
    with pytest.raises(EchoAugmentError, match=r"lacks seeds, reader, rows \(FidelityReport\)"):
        StudiedGenerator.read(tmp_path)


def test_figures_are_cells_and_pairs_are_told():
    assert SwapFigures.from_json(SWAP).cells() == ["0.80", "5.0", "0.90 / 0.05", "–", "–"]
    assert SwapFigures.from_json({**SWAP, "psnr": 21.04, "ssim": 0.612}).cells()[3:] == ["21.0", "0.61"]
    told = generator().fidelity.pairs_told()
    assert told.startswith("64 pairs of phantoms that nothing was trained on (seed 0)") and "R2 0.97" in told


@pytest.mark.parametrize("changes", [{"pairs": 32}, {"seeds": [1]}, {"reader": {"r2": 0.9}}])
def test_generators_that_were_measured_differently_are_not_compared(changes):
    check_alike({"a": generator(), "b": generator()}, "make x")
    with pytest.raises(EchoAugmentError, match=r"measured differently \(pairs, seeds, reader's R2\).*make x"):
        check_alike({"a": generator(), "b": generator(**changes)}, "make x")


def page(found):
    return [Section("Generators", [Words(", ".join(found))])]


def test_a_study_is_a_document_with_its_figures_beside_it(tmp_path):
    docs = tmp_path / "new" / "docs"
    path = write_study(docs, "mafe-losses", {"interp": generator(), "both": generator()}, page)
    assert path == docs / "mafe-losses.md" and path.read_text().splitlines()[:3] == ["# Generators", "", "interp, both"]
    kept = json.loads((docs / "mafe-losses.json").read_text())
    assert list(kept) == ["interp", "both"] and StudiedGenerator.from_json(kept["both"]) == generator()


@pytest.mark.parametrize("found", [{}, {"a": generator()}])
def test_a_study_of_fewer_than_two_is_none(tmp_path, found):
    with pytest.raises(EchoAugmentError, match=rf"reports of {len(found)} generators, not of two.*make forms"):
        write_study(tmp_path, "forms", found, page)
    assert list(tmp_path.iterdir()) == []


def test_a_document_that_fails_leaves_the_one_before(tmp_path, monkeypatch):
    write_document(tmp_path, "a", [Section("Old", [])])

    def broken(sections):
        raise KeyboardInterrupt

    monkeypatch.setattr("echo_augment.evaluation.studies.documents.markdown", broken)
    with pytest.raises(KeyboardInterrupt):
        write_document(tmp_path, "a", [Section("New", [])])
    assert (tmp_path / "a.md").read_text().startswith("# Old") and len(list(tmp_path.iterdir())) == 1


def test_the_command_says_where_to_look_or_what_is_wrong(tmp_path, capsys):
    def write(folder, docs):
        if folder.name == "bad":
            raise EchoAugmentError("nothing there", "make x")
        return docs / "x.md"

    assert document_command("x", write, [str(tmp_path), "docs"]) == 0
    assert capsys.readouterr().out == "see docs/x.md and the JSON beside it\n"
    assert document_command("x", write, [str(tmp_path / "bad"), "docs"]) == 1
    assert capsys.readouterr().err == "error: nothing there. make x\n"
    for given in ([], ["a"], ["a", "b", "c"]):
        assert document_command("x", write, given) == 2
        assert capsys.readouterr().err == "usage: python -m echo_augment.evaluation.studies.x FOLDER DOCS\n"
