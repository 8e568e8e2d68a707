"""What ``--cfg job --resolve`` prints for every job and every file of its groups, and the keys of trainings."""

from pathlib import Path

import commands
import frozen
import pytest
import yaml

DECLARED_SINCE: dict[str, object] = {
    "speed:training.preset": "base",
    "speed:training.rounds": 40,
    "speed:training.teraflops": 400,
    "cache:data.name": "echonet",
    "cache:gates.label.by": "teacher",
    "cache:gates.label.quantile": 0.9,
    "demo:generator.train": [],
    "fidelity:data.name": "",
    "fill-cache:pairs": "others",
    "fidelity:metrics.clips": 2048,
    "fidelity:metrics.images": 50000,
    "fidelity:metrics.lpips": "alex",
    "fidelity:metrics.names": ["fvd16", "fvd128", "fid", "is", "lpips"],
    "train-generator:reenactment.curve": [1, 2, 4, 8],
    "train-generator:reenactment.extractor": "reader",
    "train-generator:reenactment.rule.distance": 0.05,
    "train-generator:reenactment.rule.motion": 0.02,
    "train-generator:reenactment.videos": 16,
    "fidelity:data.split": "VAL",
    **{"data.format": 3, "data.population": "A", "data.recording": "fixed", "data.label_noise": 0.0},
    **{"phantom:format": 3, "phantom:population": "A", "phantom:recording": "fixed", "phantom:label_noise": 0.0},
    "train-generator.paper:preset.codec.lpips": 1,
    "data.follow_links": True,
    "quiet": False,
    "verbose": False,
    **{"benchmark:test": {}, "demo:test": {}},
}
"""Settings that came after the goldens: path, for every job or as ``job:path`` or ``configuration:path``, and default.
Null needs no entry."""

RENAMED_SINCE = {
    "echo_augment.training_recipes.ef_learners.MeanTeacher": "echo_augment.training_recipes.ef.learners.MeanTeacher",
}
"""Values that have another name now; the keys of trainings are the same under both."""

RENAMED_KEYS = {"ablation": "sweep"}
"""Settings that have another name now, by their path; those below it keep theirs."""

GONE = object()


@pytest.fixture(scope="module")
def composed(tmp_path_factory) -> Path:
    return commands.in_child("configs", tmp_path_factory.mktemp("golden") / "configs")


def load(folder: Path, name: str) -> dict:
    return yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))


def renamed(path: str) -> str:
    """The path of a setting today."""
    for old, new in RENAMED_KEYS.items():
        if path == old or path.startswith(f"{old}."):
            return new + path[len(old) :]
    return path


def at(settings: object, path: str) -> object:
    """The value at a path of `commands.leaves`; GONE where there is none. Names of arms have no dots."""
    for name in path.split("."):
        if not isinstance(settings, dict) or name not in settings:
            return GONE
        settings = settings[name]
    return settings


def config_differences(job: str, golden: dict, found: dict, name: str = "") -> list[str]:
    """What of ``golden`` is gone or another value, and what is new without being null or declared, a line each."""
    lines, expected = [], {renamed(path): value for path, value in commands.leaves(golden)}
    for path, value in expected.items():
        now = at(found, path)
        if value == {} and isinstance(now, dict):  # what it has now is new
            continue
        if isinstance(value, str):
            value = RENAMED_SINCE.get(value, value)
        if now is GONE or type(now) is not type(value) or now != value:
            lines.append(f"{path}: {value!r} was, {'nothing' if now is GONE else repr(now)} is")
    for path, value in commands.leaves(found):
        keys = (key for key in (f"{name}:{path}", f"{job}:{path}", path) if key in DECLARED_SINCE)
        declared = DECLARED_SINCE.get(next(keys, path), GONE)
        if path not in expected and value is not None and (declared is GONE or declared != value):
            lines.append(f"{path}: is new, with {value!r}")
    return lines


@pytest.mark.parametrize("name", commands.config_commands())
def test_config_is_as_before(composed, name):
    job = commands.config_commands()[name][0]
    lines = config_differences(job, load(frozen.CONFIGS, name), load(composed, name), name)
    assert not lines, "\n".join(lines)


def test_every_golden_config_is_compared():
    assert {path.stem for path in frozen.CONFIGS.glob("*.yaml")} == set(commands.config_commands())


def test_declared_settings_are_allowed_others_are_not(monkeypatch):
    golden = {"a": 1, "group": {"b": None}, "empty": {}}
    assert not config_differences("job", golden, {**golden, "new": None, "empty": {"c": None}})
    assert config_differences("job", golden, {**golden, "new": 2}) == ["new: is new, with 2"]
    assert config_differences("job", golden, {**golden, "empty": {"c": 0}}) == ["empty.c: is new, with 0"]
    assert config_differences("job", golden, {"a": 1.0, "group": {}, "empty": None}) == [
        "a: 1 was, 1.0 is",
        "group.b: None was, nothing is",
        "empty: {} was, None is",
        "group: is new, with {}",
    ]
    monkeypatch.setitem(DECLARED_SINCE, "job:new", 2)
    assert not config_differences("job", golden, {**golden, "new": 2})
    assert config_differences("other", golden, {**golden, "new": 2})


def test_a_setting_with_another_name_keeps_its_value():
    golden = {"ablation": {"key": "a.p", "values": [1]}}
    assert not config_differences("job", golden, {"sweep": {"key": "a.p", "values": [1]}})
    assert config_differences("job", golden, {"sweep": {"key": "a.q", "values": [1]}}) == [
        "sweep.key: 'a.p' was, 'a.q' is"
    ]
    assert config_differences("job", golden, {"ablation": None}) == [
        "sweep.key: 'a.p' was, nothing is",
        "sweep.values: [1] was, nothing is",
    ]


def test_keys_of_trainings_are_as_before(composed, tmp_path):
    """A training that was done before must be found again: with the configurations of today, and with the old ones."""
    golden = frozen.read(frozen.DATA / "keys.json")
    for name, folder in (("now", composed), ("then", frozen.CONFIGS)):
        (tmp_path / name).mkdir()
        assert frozen.keys(folder, tmp_path / name) == golden, f"with the configurations of {name}"
