"""What is typed is what is meant: texts that look like numbers stay texts."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.cli import find_jobs
from echo_augment.training_recipes.common.settings import KINDS
from echo_augment.training_recipes.common.typed import as_typed, refuse_swept_out

JOBS = list(find_jobs())


@pytest.fixture(autouse=True)
def loaded():
    for entry in find_jobs().values():
        entry.load()


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("value", ["2024_11", "1e3", "007", "1.50", "nan", "true", "-1", "inf", ".5", "1_0.0e1"])
def test_a_folder_that_looks_like_a_number_stays_a_text(job, value):
    assert as_typed(job, [f"out={value}"]) == [f"out='{value}'"]


def test_groups_mappings_and_what_may_be_a_number():
    assert as_typed("train-ef", ["data.root=2024_11", "+data.root=1e3", "caches.oracle=12", "teachers.real=1"]) == [
        *("data.root='2024_11'", "+data.root='1e3'", "caches.oracle='12'", "teachers.real='1'")
    ]
    same = ["labels=8", "labels=0.5", "seed=1_000", "trainer.optimizer.lr=1e-3", "arm.real.p=1", "+x=1", "trainer=1"]
    assert as_typed("train-ef", same) == same
    assert as_typed("fill-cache", ["rank=0", "n=1_000", "generator=7", "gates.label.teacher=2024"]) == [
        *("rank=0", "n=1_000", "generator='7'", "gates.label.teacher='2024'")
    ]
    other = ["-m", "out=a", "out=null", "out=a,b", "out='2024_11'", "hydra.run.dir=1", "--cfg=job", "out="]
    assert as_typed("train-ef", other) == other


PATHS = {
    "import": ["files", "labels", "key", "source"],
    "import-weights": ["files", "mafe", "name", "source"],
    "cache": ["cache", "data.root", "against"],
    "doctor": ["data.root", "cache", "generator"],
    "phantom": ["data.root"],
    "train-generator": ["data.root", "codec", "distil", "reuse", "preset.mafe.start"],
    "fill-cache": ["data.root", "generator", "label.teacher", "gates.label.teacher", "masks.segmenter"],
    "train-ef": ["data.root", "caches.synthetic", "teachers.real"],
    "train-segmentation": ["data.root", "caches.synthetic"],
    "benchmark": ["data.root", "generator.weights", "generator.ef_conditioned", "caches.synthetic"],
    "demo": ["data.root", "generator.weights"],
    "fidelity": ["generator", "segmenter", "reader.folder", "data.root", "training"],
    "speed": ["data.root", "generator"],
    "status": [],
}


@pytest.mark.parametrize("job", JOBS)
def test_every_path_of_every_job_stays_as_typed(job):
    for key in [*PATHS[job], "out"]:
        assert as_typed(job, [f"{key}=2024_11", f"+{key}=1e3,true"]) == [f"{key}='2024_11'", f"+{key}='1e3','true'"]
    assert set(PATHS) == set(KINDS)


def test_lists_mappings_and_sweeps_of_texts():
    assert as_typed("import", ["files=[2024_11,scan,'1e3',\"7\"]", "files=choice(1_0,b)", "views=[2,4CH]"]) == [
        *("files=['2024_11',scan,'1e3',\"7\"]", "files=choice('1_0',b)", "views=['2',4CH]")
    ]
    assert as_typed("train-ef", ["+caches={synthetic:2024_11}", "seed=1,2", "labels=8,16"]) == [
        *("+caches={synthetic:'2024_11'}", "seed=1,2", "labels=8,16")
    ]
    assert as_typed("benchmark", ["generator.train=[n=1_0,2]", "labels=[8,16]"]) == [
        *("generator.train=['n=1_0','2']", "labels=[8,16]")
    ]
    assert as_typed("benchmark", ["generator.train=[preset=base, 'a=b',data.n=[1,2]]", "generator.train=[a,[b=]"]) == [
        *("generator.train=['preset=base','a=b','data.n=[1,2]']", "generator.train=[a,[b=]")
    ]
    same = ["out=range(1,3)", "files='a,1e3'", "out=a1,2b", "out=v1.2/3", "out=1 2", "device=cuda:7"]
    assert as_typed("import", same) == same


def test_several_folders_out_in_one_sweep():
    for swept in ("out='1','2'", "out=choice(a,b)", "++out=a,b"):
        with pytest.raises(EchoAugmentError, match="the runs of a sweep go to folders of their own"):
            refuse_swept_out(["n=1", "-m", swept])
    refuse_swept_out(["-m", "out='2024_11'", "seed=1,2"])
    refuse_swept_out(["out=a,b"])


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("out=Märkisch", "Märkisch"),
        ("out=run (2)", "run (2)"),
        ("out=a=b", "a=b"),
        ("data.root=it's & more #1; !", "it's & more #1; !"),
        ("data.root=~/echo", f"{Path.home()}/echo"),
        ("out=~", str(Path.home())),
        ("out=a~/b", "a~/b"),
        ("out= x\t", "x"),
        ("arm.synthetic.exclude=2024_11", "2024_11"),
        ("+arm.real.teacher=1e3", "1e3"),
    ],
)
def test_signs_that_hydra_reads_in_quotes_only(typed, taken):
    (argument,) = as_typed("train-ef", [typed])
    parsed = OverridesParser.create().parse_override(argument).value()
    assert (parsed if isinstance(parsed, str) else parsed.text) == taken


def test_numbers_of_arms_stay_numbers_and_what_cannot_be_meant_stays_as_it_is():
    same = ["arm.synthetic.p=0.5", "arm.synthetic.most=1_00", "arm.real.labels=8", "out={x}", "out=x,", "seed=é"]
    assert as_typed("benchmark", same) == same
    assert as_typed("import", ["files=[~/a,b]"]) == [f"files=[{Path.home()}/a,b]"]
