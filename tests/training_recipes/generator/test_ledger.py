"""The ledger of a run: what other settings refuse, and what is taken from another run, without any training."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.generator import settings as composed

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.generator.ledger import ORDER, Ledger, RunSettings, differing

WANTED = ("codec", "latents", "reid", "pseudo", "mafe", "motions", "transport", "denoiser")


def settings(**changes) -> RunSettings:
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
    return RunSettings(preset=preset, seed=changes.get("seed", 0), videos=changes.get("videos", "abc"))


def begin(out: Path, stages: tuple[str, ...] = WANTED, **changes) -> Ledger:
    """A run of some stages, each done by one that notes whose it is."""
    ledger = Ledger(out, settings(**changes))
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
    preset = dict(settings().preset)  # of a run before there were kinds, and couplings
    del preset["couplings"]
    before = replace(settings(), preset=preset)
    assert not differing(before, settings(student__kind="consistency"), "student")
    assert differing(before, settings(student__kind="reflow"), "student")


def test_a_stage_s_settings_have_names_to_tell():
    assert settings().deciding("codec")["preset.codec.steps"] == 3
    assert differing(settings(), settings(mafe__steps=9), "denoiser") == ["preset.mafe.steps"]


@pytest.mark.parametrize("preset", ["tiny", "base", "paper"])
def test_a_run_of_before_these_settings_were_typed_is_recognised(tmp_path, preset):
    """Files as they were written when presets were plain YAML: nothing is trained anew, and a change is still named."""
    shutil.copy(Path(__file__).parent / "data" / f"stages-{preset}.json", tmp_path / "stages.json")
    (tmp_path / "latents.npy").write_text("latents")
    for name in ("codec", "reid"):
        (tmp_path / name).mkdir()
    before = json.loads((tmp_path / "stages.json").read_text())

    def now(*overrides):
        plain = composed(f"preset={preset}", *overrides).with_losses().plain()
        return RunSettings(preset=plain, seed=0, videos="0123456789abcdef", accumulate=4)

    for stage in ORDER:
        assert differing(RunSettings(**before["settings"]), now(), stage) == []
    ledger = Ledger(tmp_path, now("preset.sampler_steps=3", "preset.denoiser.weight_decay=0.5"))
    assert ledger.done == before["done"]
    with pytest.raises(EchoAugmentError, match=r"other settings \(preset.codec.weight_decay\)"):
        Ledger(tmp_path, now("preset.codec.weight_decay=0.5"))


def test_settings_are_written_as_before(tmp_path):
    written = json.loads((Path(__file__).parent / "data" / "stages-tiny.json").read_text())["settings"]
    plain = composed().with_losses().plain()
    Ledger(tmp_path, RunSettings(preset=plain, seed=0, videos="0123456789abcdef", accumulate=4))
    assert json.loads((tmp_path / "stages.json").read_text()) == {"settings": written, "done": {}}


def test_an_unknown_setting_is_refused(tmp_path):
    begin(tmp_path, ("codec",))
    state = json.loads((tmp_path / "stages.json").read_text())
    state["settings"]["magic"] = 1
    (tmp_path / "stages.json").write_text(json.dumps(state))
    with pytest.raises(EchoAugmentError, match=r"stages.json: cannot be read.*magic"):
        Ledger(tmp_path, settings())


def test_settings_of_stages_that_have_not_begun_may_change(tmp_path):
    begin(tmp_path / "run", ("codec",))
    assert Ledger(tmp_path / "run", settings(mafe__steps=9)).done.keys() == {"codec"}
    with pytest.raises(EchoAugmentError, match=r"other settings \(preset.codec.steps\)"):
        Ledger(tmp_path / "run", settings(codec__steps=9, mafe__steps=9))
    (tmp_path / "run" / "checkpoints").mkdir()
    (tmp_path / "run" / "checkpoints" / "mafe.ckpt").write_text("begun")
    with pytest.raises(EchoAugmentError, match=r"other settings \(preset.mafe.steps\)"):
        Ledger(tmp_path / "run", settings(mafe__steps=10))


def test_a_folder_whose_settings_are_unknown_is_refused(tmp_path):
    begin(tmp_path / "run", ("codec",))
    (tmp_path / "run" / "stages.json").write_text("{")
    with pytest.raises(EchoAugmentError, match=r"stages.json: cannot be read.*delete the folder"):
        Ledger(tmp_path / "run", settings())
    (tmp_path / "run" / "stages.json").unlink()
    with pytest.raises(EchoAugmentError, match=r"no stages.json that says of which.*delete the folder"):
        Ledger(tmp_path / "run", settings())


def test_what_was_made_with_equal_settings_is_taken_and_the_source_stays(tmp_path):
    source = tmp_path / "source"
    begin(source)
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    ledger = Ledger(tmp_path / "run", settings(transport__steps=9))
    assert ledger.reuse(source, WANTED) == ["hearts", *WANTED[:-2]]
    for name in ("codec/config.json", "latents.npy", "hearts/frames.npy"):
        assert (tmp_path / "run" / name).read_bytes() == before[source / name]
    assert (tmp_path / "run" / "latents.npy").samefile(source / "latents.npy"), "large arrays are linked"
    (tmp_path / "run" / "codec" / "config.json").write_text("trained on")
    assert before == {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    again = Ledger(tmp_path / "run", settings(transport__steps=9))
    assert list(again.done) == list(WANTED[:-2]) and again.reuse(source, WANTED) == []


def test_nothing_is_taken_that_builds_on_a_stage_of_this_run_s_own(tmp_path):
    begin(tmp_path / "source")
    Ledger(tmp_path / "begun", settings())
    (tmp_path / "begun" / "checkpoints").mkdir()
    (tmp_path / "begun" / "checkpoints" / "reid.ckpt").write_text("begun")
    assert Ledger(tmp_path / "begun", settings()).reuse(tmp_path / "source", WANTED) == ["hearts", "codec", "latents"]
    own = begin(tmp_path / "own", ("codec",))
    own.done["codec"]["seconds"] = 2.0
    others = ["reid", "pseudo", "mafe", "motions"]  # what needs no codec
    assert own.reuse(tmp_path / "source", WANTED) == others


def test_a_reuse_that_was_killed_goes_on(tmp_path):
    begin(tmp_path / "source")
    ledger = Ledger(tmp_path / "run", settings())
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
    assert Ledger(tmp_path / "run", settings()).reuse(tmp_path / "source", WANTED) == ["hearts", *others]


def test_a_done_stage_whose_files_are_gone_is_done_again(tmp_path):
    begin(tmp_path / "run")
    (tmp_path / "run" / "latents.npy").unlink()
    again = Ledger(tmp_path / "run", settings())
    assert [name for name in WANTED if name not in again.done] == ["latents"]
    assert again.run("latents", lambda: {"frames": 7})["frames"] == 7


def test_a_run_that_shares_nothing_is_refused(tmp_path):
    begin(tmp_path / "source")
    with pytest.raises(EchoAugmentError, match=r"made with other settings \(videos\)"):
        Ledger(tmp_path / "run", settings(videos="other")).reuse(tmp_path / "source", WANTED)
    with pytest.raises(EchoAugmentError, match=r"has no stages\.json"):
        Ledger(tmp_path / "run", settings(videos="other")).reuse(tmp_path, WANTED)
