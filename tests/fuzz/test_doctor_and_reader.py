"""Doctor and reader agree: whatever is wrong with a data set, both refuse it or both read it."""

import shutil
import warnings
from collections import Counter

import numpy as np
import pytest

from echo_augment.augmentor.data import EchoNetDynamic, read_table, refuse_leaks
from echo_augment.augmentor.data.checkup import check_dataset
from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.augmentor.data.video import read_frames
from echo_augment.cache.errors import EchoAugmentError
from tests.fuzz.combinations import FAULTS, base_videos, make

FEW, MANY = 250, 5000


def said_by_doctor(case):
    """What doctor says against reading the case's targets; empty if nothing."""
    try:
        found = check_dataset(case.root, decode=True, **case.settings)
    except EchoAugmentError as error:  # a setting
        return str(error)
    against = found.errors
    if case.targets != ("EF",):  # traces, and no label: what is said of EF alone does not stop them
        against = [one for one in against if one.kind != "EF"]
        against += [one for one in found.problems if one.kind in ("tracing", "untraced")]
    return "; ".join(f"[{one.kind}] {one.message}" for one in against)


def said_by_reader(case):
    """The error of a training's reading: TRAIN, VAL and TEST as far as there are any, and the leak guard."""
    try:
        files = find_files(case.root, **case.settings)
        table = read_table(files)
        there = {row.split for row in table.rows} | {problem.split for problem in table.problems}
        for split in ("TRAIN", *(sorted({"VAL", "TEST"} & there))):
            options = {"length": None, "period": 1, "max_length": None}
            traced = case.targets != ("EF",)
            data = EchoNetDynamic(files, split, case.targets, require_tracings=traced, **options)
            if skipped := [one.name for one in data.skipped]:
                raise EchoAugmentError(f"{skipped} are left out, which doctor tells as well")
            for index in range(len(data)):
                clip, target = data[index]
                assert np.isfinite(clip).all() and all(np.isfinite(one).all() for one in np.atleast_1d(target))
                for frame in sorted({0, clip.shape[1] // 3, clip.shape[1] // 2, clip.shape[1] - 1}):
                    alone = read_frames(data.rows[index].path, [frame], rgb=True)[0]
                    if not np.array_equal(np.moveaxis(alone, -1, 0), clip[:, frame]):
                        raise EchoAugmentError(f"{data.rows[index].path}: frame {frame} depends on the window")
        held_out = [row for row in table.rows if row.split in ("VAL", "TEST")]
        refuse_leaks(table.split("TRAIN"), held_out)
    except EchoAugmentError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return base_videos(tmp_path_factory.mktemp("base") / "Videos")


@pytest.mark.parametrize(("first", "count"), [(0, FEW), pytest.param(0, MANY, marks=pytest.mark.slow)])
def test_both_refuse_or_both_read(first, count, videos, tmp_path):
    apart, counts, seen = [], Counter(), Counter()
    for number in range(first, first + count):
        root = tmp_path / str(number)
        case = make(number, root, videos)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            doctor, reader = said_by_doctor(case), said_by_reader(case)
        shutil.rmtree(root)
        shutil.rmtree(tmp_path / f"{number}-outside", ignore_errors=True)
        seen.update(case.faults)
        counts["refused" if doctor else "read"] += 1
        if bool(doctor) != bool(reader):
            apart.append(f"{number} {case.targets[0]} {case.faults}: doctor {doctor[:300]!r}, reader {reader[:300]!r}")
    print(dict(counts))
    assert not apart, "\n".join([f"{len(apart)} of {count} combinations:", *apart[:20]])
    assert set(seen) == set(FAULTS) and counts["read"] > count / 10 < counts["refused"]
