"""Rejections outlive a kill, are shared between processes and belong to a number of them."""

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.rejections import Rejections, count_reasons, read_reasons


def test_reasons_of_all_processes_are_known_after_a_kill(tmp_path):
    for rank in range(2):
        rejections = Rejections(tmp_path, rank=rank, world=2)
        rejections.add(f"c{rank}", f"label: {rank}")
        rejections.close()
    with (tmp_path / "rejected-1-of-2.jsonl").open("ab") as file:
        file.write(b'{"clip_id": "torn')
    assert (
        Rejections(tmp_path, rank=0, world=2).reasons == {"c0": "label: 0", "c1": "label: 1"} == read_reasons(tmp_path)
    )


def test_another_number_of_processes_is_refused(tmp_path):
    Rejections(tmp_path, rank=0, world=2).add("c", "label: x")
    with pytest.raises(EchoAugmentError, match=r"another number of processes than 3: rejected-0-of-2\.jsonl is there"):
        Rejections(tmp_path, rank=0, world=3)


def test_reasons_are_counted_by_what_stands_before_the_colon():
    reasons = {"a": "label: 3", "b": "image: dark", "c": "label: 5", "d": "skipped"}
    assert count_reasons(reasons) == {"label": 2, "image": 1, "skipped": 1}
