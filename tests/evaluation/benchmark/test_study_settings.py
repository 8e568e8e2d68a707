"""What a benchmark declares before it runs."""

import pytest
from fakes.benchmark import configure

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark.study_settings import GridSettings, PrimarySettings, TuneSettings

GRID = {"synthetic": GridSettings(key="p", values=[0.25, 0.5])}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tune={data:{seed:7}}", "tune has no grid"),
        ("tune={data:{n:7},grid:{real:{key:p,values:[1,2]}}}", "tune.data names no videos of its own"),
        ("tune={data:{seed:7},grid:{real:{key:p,values:[1]}}}", r"two different values, got key='p' values=\[1\]"),
        ("tune={data:{seed:7},grid:{real:{key:p,values:[1,1]}}}", "two different values"),
        ("tune={data:{seed:7},grid:{real:{key:p,values:[1,2]}},labels:0}", "labels must be"),
        ("tune={data:{seed:7},grid:{real:{kye:p,values:[1,2]}}}", "kye"),
        ("primary=[{number:1,pair:synthetic,labels:16}]", "primary.pair must be two arms"),
        ("primary=[{number:0,pair:synthetic-real,labels:16}]", "primary.number must be"),
        ("primary=[{number:3,pair:synthetic-mixup,labels:16}]", "primary question 3 needs the arm mixup"),
        ("primary=[{number:3,pair:synthetic-real,labels:32}]", "primary question 3 needs labels=32"),
        ("primary=[{number:3,pair:synthetic-real,labels:16,test:B}]", "primary question 3 needs test.B"),
        ("primary=[{number:3,pair:synthetic-real,labels:16,high:200}]", "primary.high must be"),
    ],
)
def test_what_cannot_be_meant_is_refused(override, message):
    with pytest.raises(EchoAugmentError, match=message):
        configure("out=y", override)


def test_declared_questions_and_grids_are_typed():
    primary = "primary=[{number:2,question:Does it help?,pair:synthetic-real,labels:16,high:40}]"
    settings = configure("out=y", primary, "tune={data:{seed:7},grid:{synthetic:{key:p,values:[0.25,0.5]}}}")
    [one] = settings.primary
    assert isinstance(one, PrimarySettings)
    assert (one.number, one.high, one.low, one.test) == (2, 40.0, None, None)
    assert settings.tune == TuneSettings(data={"seed": 7}, grid=GRID)
