"""The job ``demo``: the whole chain, from data to an answer."""

import time
from pathlib import Path

from omegaconf import DictConfig

from echo_augment.cache.system.progress import say
from echo_augment.training_recipes.common.settings import register, settings_from

from .caches import Load
from .job import run_benchmark
from .settings import DesignSettings


def run(cfg: DictConfig, load: Load | None = None) -> None:
    """Make data, caches, trainings, statistics and report; the last lines say whether augmentation helped.

    Args:
        cfg: composed from ``conf/demo.yaml``.
        load: makes the generator; by default the bundled weights' loader.
    """
    settings = settings_from(cfg, DesignSettings)
    started, out = time.monotonic(), Path(settings.out)
    say(f"echo-augment demo on {settings.data.name} data; everything goes to {out}, and a rerun goes on from there")
    report = run_benchmark(settings, "demo", load)
    minutes = (time.monotonic() - started) / 60
    print(f"\n{report.verdict}")
    if report.data == "phantom":
        print("These are phantom hearts, not EchoNet-Dynamic.")
    else:
        print("The bundled generator was trained on phantoms: this shows that the chain runs, not what it can do.")
    sheet = f", {out / 'contact_sheet.png'}" if (out / "contact_sheet.png").exists() else ""
    print(f"{minutes:.1f} min; see {out / 'report.html'}{sheet}")


register("demo", DesignSettings)
