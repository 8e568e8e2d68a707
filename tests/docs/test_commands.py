"""Every command on every page is one that the program takes: its settings compose and are in their ranges."""

import re
import tomllib

import pytest
from fakes.pages import PAGES, ROOT, calls, name_of, write_titled
from hydra import compose, initialize_config_module
from hydra.errors import ConfigCompositionException

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.cli import HELP, find_jobs, in_settings_words
from echo_augment.training_recipes.common.settings import KINDS, settings_from
from echo_augment.training_recipes.common.typed import as_typed

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LAUNCHERS = {"joblib": "joblib", "submitit_slurm": "slurm"}  # by the extra that brings each
WITH_COMMANDS = [page for page in PAGES if re.search(r"^```(bash|console)", page.read_text("utf-8"), re.M)]


def check_job(name, arguments, folder):
    """Compose a job as the command would, for the first value of each setting that is swept over."""
    if set(arguments) & set(HELP):
        return
    find_jobs()[name].load()
    swept = "-m" in arguments
    arguments = [one for one in arguments if one != "-m"]
    for launcher in [one.partition("=")[2] for one in arguments if one.startswith("hydra/launcher=")]:
        assert LAUNCHERS[launcher] in PROJECT["optional-dependencies"]
    arguments = [one for one in arguments if not one.startswith("hydra/")]
    if swept:
        arguments = [re.sub(r"^([^=]+=)([^,\[]+),.*", r"\1\2", one) for one in arguments]
    if "--config-dir" in arguments:
        place = arguments.index("--config-dir")
        arguments[place : place + 2] = [f"hydra.searchpath=[file://{folder / arguments[place + 1]}]"]
    typed = as_typed(name, in_settings_words(name, arguments))
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        settings_from(compose(name, typed), KINDS[name])


def check_call(folder, program, *arguments):
    if program == "echo-augment":
        if arguments != ("--help",):
            check_job(arguments[0], list(arguments[1:]), folder)
    elif program == "make":
        targets = [one for one in arguments if "=" not in one]
        assert all(re.search(rf"^{re.escape(target)}:", MAKEFILE, re.M) for target in targets), targets
    elif program == "pip":
        extras = [extra for one in arguments for extra in re.findall(r"\[(.*?)\]", one)]
        assert arguments[0] == "install"
        assert {name for one in extras for name in one.split(",")} <= set(PROJECT["optional-dependencies"])
    elif program == "python":
        assert (ROOT / arguments[0]).is_file(), arguments[0]
    else:
        assert (program, arguments[0]) in {("git", "clone"), ("git", "show")}


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_commands_are_known(page, tmp_path):
    write_titled(page, tmp_path)
    found = list(calls(page, tmp_path))
    assert found
    for call in found:
        check_call(tmp_path, *call)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["echo-augment", "fill-cache", "out=x", "nn=3"], "nn"),
        (["echo-augment", "fill-cache", "out=x", "n=0"], "n must be"),
        (["make", "nothing"], "nothing"),
        (["pip", "install", ".[nothing]"], "nothing"),
    ],
)
def test_the_check_fails_where_it_should(call, said, tmp_path):
    with pytest.raises((EchoAugmentError, AssertionError, ConfigCompositionException)) as found:
        check_call(tmp_path, *call)
    causes = [found.value, found.value.__cause__]
    assert any(said in str(cause) for cause in causes)
