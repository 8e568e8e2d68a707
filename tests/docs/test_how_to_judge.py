"""The commands of the guide on judging compose, and the first runs as it stands."""

import json
import re
import shlex
from pathlib import Path

from hydra import compose, initialize_config_module

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.evaluation.fidelity import job
from echo_augment.evaluation.fidelity.settings import FidelitySettings
from echo_augment.training_recipes.common.settings import settings_from

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "judge-on-your-videos.md"


def composed(command):
    program, name, *overrides = shlex.split(command)
    assert (program, name) == ("echo-augment", "fidelity")
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return compose(name, overrides=overrides)


def test_the_guides_commands_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^echo-augment .*$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 2 and all(settings_from(composed(one), FidelitySettings).data.name for one in commands)
    write_phantoms(Path("data/real"), 2, num_frames=80, workers=1, splits=(0.5, 0.5, 0))
    job.run(composed(commands[0]))
    found = json.loads(Path("runs/judged/report.json").read_text())["reenactment"]
    assert len(found["videos"]) == 1 and found["pairs"] is None and set(found["rows"]) >= {"still", "warp", "codec"}
