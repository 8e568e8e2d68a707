"""The ledger of a run: what other settings refuse, and what is taken from another run, without any training."""

import json
from pathlib import Path

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.generator.stages import ORDER, Stages, deciding, differing

WANTED = ("codec", "latents", "reid", "pseudo", "mafe", "motions", "transport", "denoiser")


def settings(**changes):
    preset = {"name": "tiny", "rate": 12.5, "size": 112, "code": "transport"}
    preset |= {
        "transport": {"flow": "teacher", "steps": 5},
        "codec": {"steps": 3},
        "reid": {"steps": 2},
        "mafe": {"steps": 4},
        "denoiser": {"steps": 6},
        "couplings": {"steps": 7},
        "student": {"steps": 1},
    }
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            preset[section] = preset[section] | {name: value}
        elif key in preset:
            preset[key] = value
    return {"preset": preset, "seed": changes.get("seed", 0), "videos": changes.get("videos", "abc")}


def begin(out: Path, stages: tuple[str, ...] = WANTED, **changes) -> Stages:
    """A run of some stages, each done by one that notes whose it is."""
    ledger = Stages(out, settings(**changes))
    (out / "hearts").mkdir(exist_ok=True)
    (out / "hearts" / "hearts.json").write_text("{}")
    (out / "hearts" / "frames.npy").write_text("frames")
    for number, name in enumerate(stages):
        work = {"latents": "latents.npy", "motions": "flows.npy", "pseudo": "pseudo.h5"}.get(name)
        if work:
            (out / work).write_text(f"{out.name} {name}")
        else:
            (out / name).mkdir(exist_ok=True)
            (out / name / "config.json").write_text(f"{out.name} {name}")
        ledger.run(name, lambda number=number: {"steps": number, "seconds": 1.0})
    return ledger


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"videos": "other"}, "hearts"),
        ({"size": 64}, "hearts"),
        ({"seed": 1}, "codec"),
        ({"codec__steps": 9}, "codec"),
        ({"mafe__steps": 9}, "mafe"),
        ({"code": "flow"}, "motions"),
        ({"transport__flow": "mafe"}, "motions"),
        ({"transport__steps": 9}, "transport"),
        ({"denoiser__steps": 9}, "denoiser"),
        ({"student__steps": 9}, "student"),
    ],
)
def test_a_setting_decides_its_own_stage_and_those_after_it(change, first):
    changed = [stage for stage in ORDER if differing(settings(), settings(**change), stage)]
    assert changed == list(ORDER[ORDER.index(first) :])


def test_couplings_decide_a_student_that_reads_them_alone():
    for kind, decided in (("consistency", ["couplings"]), ("reflow", ["couplings", "student"])):
        before, after = (settings(student__kind=kind, **change) for change in ({}, {"couplings__steps": 9}))
        assert [stage for stage in ORDER if differing(before, after, stage)] == decided
    before = settings()  # of a run before there were kinds, and couplings
    del before["preset"]["couplings"]
    assert not differing(before, settings(student__kind="consistency"), "student")
    assert differing(before, settings(student__kind="reflow"), "student")


def test_a_stage_s_settings_have_names_to_tell():
    assert deciding(settings(), "codec")["preset.codec.steps"] == 3
    assert differing(settings(), settings(mafe__steps=9), "denoiser") == ["preset.mafe.steps"]


def test_settings_of_stages_that_have_not_begun_may_change(tmp_path):
    begin(tmp_path / "run", ("codec",))
    assert Stages(tmp_path / "run", settings(mafe__steps=9)).done.keys() == {"codec"}
    with pytest.raises(EchoAugmentError, match=r"other settings \(preset.codec.steps\)"):
        Stages(tmp_path / "run", settings(codec__steps=9, mafe__steps=9))
    (tmp_path / "run" / "checkpoints").mkdir()
    (tmp_path / "run" / "checkpoints" / "mafe.ckpt").write_text("begun")
    with pytest.raises(EchoAugmentError, match=r"other settings \(preset.mafe.steps\)"):
        Stages(tmp_path / "run", settings(mafe__steps=10))


def test_a_folder_whose_settings_are_unknown_is_refused(tmp_path):
    begin(tmp_path / "run", ("codec",))
    (tmp_path / "run" / "stages.json").write_text("{")
    with pytest.raises(EchoAugmentError, match=r"stages.json: cannot be read.*delete the folder"):
        Stages(tmp_path / "run", settings())
    (tmp_path / "run" / "stages.json").unlink()
    with pytest.raises(EchoAugmentError, match=r"no stages.json that says of which.*delete the folder"):
        Stages(tmp_path / "run", settings())


def test_what_was_made_with_equal_settings_is_taken_and_the_source_stays(tmp_path):
    source = tmp_path / "source"
    begin(source)
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    ledger = Stages(tmp_path / "run", settings(transport__steps=9))
    assert ledger.reuse(source, WANTED) == ["hearts", *WANTED[:-2]]
    for name in ("codec/config.json", "latents.npy", "hearts/frames.npy"):
        assert (tmp_path / "run" / name).read_bytes() == before[source / name]
    assert (tmp_path / "run" / "latents.npy").samefile(source / "latents.npy"), "large arrays are linked"
    (tmp_path / "run" / "codec" / "config.json").write_text("trained on")
    assert before == {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    again = Stages(tmp_path / "run", settings(transport__steps=9))
    assert list(again.done) == list(WANTED[:-2]) and again.reuse(source, WANTED) == []


def test_nothing_is_taken_that_builds_on_a_stage_of_this_run_s_own(tmp_path):
    begin(tmp_path / "source")
    Stages(tmp_path / "begun", settings())
    (tmp_path / "begun" / "checkpoints").mkdir()
    (tmp_path / "begun" / "checkpoints" / "reid.ckpt").write_text("begun")
    assert Stages(tmp_path / "begun", settings()).reuse(tmp_path / "source", WANTED) == ["hearts", "codec", "latents"]
    own = begin(tmp_path / "own", ("codec",))
    own.done["codec"]["seconds"] = 2.0
    others = ["reid", "pseudo", "mafe", "motions"]  # what needs no codec
    assert own.reuse(tmp_path / "source", WANTED) == others


def test_a_reuse_that_was_killed_goes_on(tmp_path):
    begin(tmp_path / "source")
    ledger = Stages(tmp_path / "run", settings())
    (tmp_path / "run" / "codec").mkdir(parents=True)  # its files came, its line in the ledger did not
    (tmp_path / "run" / "codec" / "half").write_text("")
    (tmp_path / "run" / "reid.partial").mkdir()
    (tmp_path / "run" / "reid.partial" / "half").write_text("")
    assert ledger.reuse(tmp_path / "source", WANTED) == ["hearts", *WANTED]
    assert [path.name for path in (tmp_path / "run" / "codec").iterdir()] == ["config.json"]
    assert [path.name for path in (tmp_path / "run" / "reid").iterdir()] == ["config.json"]
    state = json.loads((tmp_path / "run" / "stages.json").read_text())
    assert list(state["done"]) == list(WANTED)


def test_a_done_stage_whose_files_are_gone_is_not_taken(tmp_path):
    begin(tmp_path / "source")
    (tmp_path / "source" / "latents.npy").unlink()
    others = ["codec", "reid", "pseudo", "mafe", "motions"]  # what needs no latents
    assert Stages(tmp_path / "run", settings()).reuse(tmp_path / "source", WANTED) == ["hearts", *others]


def test_a_done_stage_whose_files_are_gone_is_done_again(tmp_path):
    begin(tmp_path / "run")
    (tmp_path / "run" / "latents.npy").unlink()
    again = Stages(tmp_path / "run", settings())
    assert [name for name in WANTED if name not in again.done] == ["latents"]
    assert again.run("latents", lambda: {"frames": 7})["frames"] == 7


def test_a_run_that_shares_nothing_is_refused(tmp_path):
    begin(tmp_path / "source")
    with pytest.raises(EchoAugmentError, match=r"made with other settings \(videos\)"):
        Stages(tmp_path / "run", settings(videos="other")).reuse(tmp_path / "source", WANTED)
    with pytest.raises(EchoAugmentError, match=r"has no stages\.json"):
        Stages(tmp_path / "run", settings(videos="other")).reuse(tmp_path, WANTED)
