import json

import pytest

from echo_augment.cache.rejections import Rejections
from echo_augment.cache.system.json_lines import JsonLines, read_json_lines

VALUES = [{"clip_id": f"c{k}", "reason": f"label: {k}"} for k in range(5)]


def write(path, values=VALUES):
    lines = JsonLines(path)
    for value in values:
        lines.add(value)
    lines.close()
    return path


@pytest.mark.parametrize("cut", range(1, 32))
def test_a_torn_line_is_lost_alone_and_the_next_stands_on_its_own(tmp_path, cut):
    path = write(tmp_path / "a.jsonl")
    path.write_bytes(path.read_bytes()[:-cut])
    again = JsonLines(path)
    assert again.values == VALUES[:4]
    again.add(VALUES[0])
    again.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [*VALUES[:4], VALUES[0]]


def test_reading_the_file_of_another_process_leaves_it_alone(tmp_path):
    path = write(tmp_path / "a.jsonl")
    torn = path.read_bytes()[:-4]
    path.write_bytes(torn)
    assert read_json_lines(path) == VALUES[:4]
    assert path.read_bytes() == torn


@pytest.mark.parametrize("junk", [b"\xff\xfe\n", b"[1, 2]\n", b"{}x\n", b"\n", b"null\n"])
def test_what_follows_a_damaged_line_is_not_trusted(tmp_path, junk):
    path = write(tmp_path / "a.jsonl", VALUES[:2])
    path.write_bytes(path.read_bytes() + junk + b"{}\n")
    assert JsonLines(path).values == VALUES[:2]


def test_nothing_but_json_is_written(tmp_path):
    lines = JsonLines(tmp_path / "a.jsonl")
    with pytest.raises(ValueError, match="JSON"):
        lines.add({"x": float("nan")})
    lines.close()
    assert not (tmp_path / "a.jsonl").exists()


def test_a_process_knows_the_rejections_of_the_others_and_cuts_only_its_own(tmp_path):
    for rank in range(2):
        rejections = Rejections(tmp_path, rank=rank, world=2)
        rejections.add(f"c{rank}", "label: no")
        rejections.close()
    other = tmp_path / "rejected-1-of-2.jsonl"
    other.write_bytes(other.read_bytes() + b'{"clip_id": "c9", "rea')  # rank 1 is in the middle of a write
    size = other.stat().st_size
    assert set(Rejections(tmp_path, rank=0, world=2).reasons) == {"c0", "c1"}
    assert other.stat().st_size == size
    assert set(Rejections(tmp_path, rank=1, world=2).reasons) == {"c0", "c1"}
    assert other.stat().st_size < size
