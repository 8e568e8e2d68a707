"""Fills with gates, end to end."""

import json

import pytest
from fakes.fill import Painter, config, settings
from hydra import compose, initialize_config_module

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.cache.gates import IMAGE_ONLY, PerClip, image_gate
from echo_augment.training_recipes.filling.gates import make_gates
from echo_augment.training_recipes.jobs import fill_cache
from echo_augment.training_recipes.jobs.train_ef import run as train_ef_job


def test_a_fill_with_a_label_gate_holds_only_clips_that_show_their_label(root, teacher, tmp_path, capsys):
    out = tmp_path / "cache"
    overrides = [f"data.root={root}", f"out={out}", "n=12", "reserve=1", "batch=4", "device=cpu"]
    overrides += [f"gates.label.teacher={teacher}", "gates.label.tolerance=15"]
    fill_cache.run(config(*overrides), lambda *_, **__: Painter(root))
    said = capsys.readouterr().out
    assert "gates: label within 15.0 EF points (given)\n" in said
    report = json.loads((out / "report.json").read_text())
    rejected = report["fill"]["rejected"]["label"]
    assert rejected > 0 and report["fill"]["sealed"] == 12
    assert all(clip.provenance.seed % 4 for clip in ClipStore(out))
    label = report["gates"]["label"]
    assert label["all"]["n"] == 12 + rejected and label["passed"]["n"] == 12
    assert label["passed"]["mae"] < 3 < label["all"]["mae"]
    assert report["gates"]["limits"] == {"label": {"tolerance": 15.0}}
    fill_cache.run(config(*overrides), lambda *_, **__: Painter(root))
    again = json.loads((out / "report.json").read_text())
    assert again["gates"] == report["gates"], "a finished fill that is run again still reports on all clips"
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        fill_cache.run(config(*overrides[:-1], "gates.label.tolerance=50"), lambda *_, **__: Painter(root))
    (teacher / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        fill_cache.run(config(*overrides), lambda *_, **__: Painter(root))


def test_a_privacy_gate_that_everything_fails_is_an_error_with_the_reasons(root, tmp_path):
    overrides = [f"data.root={root}", f"out={tmp_path / 'c'}", "n=4", "device=cpu", "gates.privacy.against=all"]
    with pytest.raises(EchoAugmentError, match=r"no clip passed the gates .*privacy"):
        fill_cache.run(config(*overrides, "gates.privacy.threshold=-1"), lambda *_, **__: Painter(root))
    reasons = (tmp_path / "c" / "rejected-0-of-1.jsonl").read_text().splitlines()
    assert len(reasons) == 5 and all('"privacy: like ' in reason for reason in reasons)
    report = json.loads((tmp_path / "c" / "report.json").read_text())
    assert report["gates"]["privacy"]["to_nearest_other"]["n"] == 5
    assert report["gates"]["limits"]["privacy"]["threshold"] == -1


def test_a_generator_without_re_id_cannot_be_gated(root, tmp_path):
    painter = Painter(root)
    painter.pipeline = None
    overrides = [f"data.root={root}", f"out={tmp_path / 'c'}", "n=4", "device=cpu", "gates.privacy.against=others"]
    with pytest.raises(EchoAugmentError, match="no re-ID model"):
        fill_cache.run(config(*overrides), lambda *_, **__: painter)


def test_a_cache_keeps_to_its_mask_gate_as_well(tmp_path):
    def gates(**others):
        return make_gates(settings().gates, None, tmp_path, tmp_path, device="cpu", others=others)

    assert gates(masks=0.5).gates == [PerClip(image_gate)]
    (tmp_path / "plan.jsonl").write_text("{}")
    assert gates(masks=0.5).figures() == {"settings": {**IMAGE_ONLY, "masks": 0.5}, "limits": {}}
    with pytest.raises(EchoAugmentError, match=r"'masks': 0\.5.*'masks': 0\.7"):
        gates(masks=0.7)
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        gates()


@pytest.mark.slow
def test_all_gates_on_a_fill_by_the_bundled_generator(tmp_path, capsys):
    """Minutes: 80 phantoms, a tiny teacher of 400 steps, 60 clips. Prints what the gates found."""
    data = write_phantoms(tmp_path / "data", 80, seed=77, splits=(0.7, 0.2, 0.1), format=2)
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        train_ef_job(compose("train-ef", [f"data.root={data}", f"out={tmp_path / 'teacher'}", "device=cpu"]))
    overrides = [f"data.root={data}", f"out={tmp_path / 'cache'}", "n=60", "reserve=2", "device=cpu"]
    overrides += [f"gates.label.teacher={tmp_path / 'teacher'}", "gates.privacy.against=others"]
    fill_cache.run(config(*overrides))
    report = json.loads((tmp_path / "cache" / "report.json").read_text())
    gates, fill = report["gates"], report["fill"]
    with capsys.disabled():
        print(json.dumps({"gates": gates, "rejected": fill["rejected"], "sealed": fill["sealed"]}, indent=1))
    judged = gates["label"]["all"]["n"]
    assert fill["sealed"] + sum(fill["rejected"].values()) == judged
    assert gates["label"]["passed"]["mae"] <= gates["limits"]["label"]["tolerance"]
    if "label" in fill["rejected"]:
        assert gates["label"]["passed"]["mae"] < gates["label"]["all"]["mae"]
    privacy, limit = gates["privacy"], gates["limits"]["privacy"]["threshold"]
    assert privacy["recognised"] > 0.9, "MCDM keeps the appearance donor's look"
    assert privacy["to_appearance_donor"]["q50"] > limit, "against=all would reject it"
    stored = {clip.clip_id for clip in ClipStore(tmp_path / "cache")}
    for path in (tmp_path / "cache").glob("readings-*.jsonl"):
        for reading in map(json.loads, path.read_text().splitlines()):
            if reading["clip_id"] in stored and "nearest_other" in reading:
                assert reading["nearest_other"] <= limit
