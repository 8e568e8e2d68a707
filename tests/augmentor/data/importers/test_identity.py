"""Keys are private and made once; names are keyed."""

import stat

import pytest

from echo_augment.augmentor.data.importers.identity import Hasher, default_key, read_key, write_links
from echo_augment.cache.errors import EchoAugmentError


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_once_for_its_owner_alone(tmp_path):
    path = default_key(tmp_path / "set")
    hasher, new = read_key(path, tmp_path / "set")
    again, still_new = read_key(path, tmp_path / "set")
    assert new and not still_new and again.key == hasher.key and len(hasher.key) == 32
    assert mode(path) == 0o600 and mode(path.parent) == 0o700 and path.parent.name == "set-private"
    assert list(path.parent.iterdir()) == [path] and hasher.key.hex() not in repr(hasher)


@pytest.mark.parametrize("inside", ["key", "deep/er/key", "../set/key"])
def test_a_key_never_lies_in_the_data_set(tmp_path, inside):
    (tmp_path / "set").mkdir()
    with pytest.raises(EchoAugmentError, match="lies inside"):
        read_key(tmp_path / "set" / inside, tmp_path / "set")
    (tmp_path / "link").symlink_to(tmp_path / "set")
    with pytest.raises(EchoAugmentError, match="lies inside"):
        read_key(tmp_path / "link" / "key", tmp_path / "set")


def test_what_is_no_key_is_refused(tmp_path):
    (tmp_path / "key").write_text("short")
    with pytest.raises(EchoAugmentError, match="is no key"):
        read_key(tmp_path / "key", tmp_path / "set")


def test_names_depend_on_the_key_and_on_what_they_name():
    one, two = Hasher(b"1" * 32), Hasher(b"2" * 32)
    assert one.name("patient", "0012345") == Hasher(b"1" * 32).name("patient", "0012345")
    assert one.name("patient", "0012345") != two.name("patient", "0012345") != one.name("clip", "0012345")
    assert len(one.name("patient", "x")) == 16 and one.fingerprint != two.fingerprint


def test_links_are_for_the_owner_alone(tmp_path):
    write_links(tmp_path / "links.csv", [("/scans/DOE, JANE", "A1", "in", "")])
    assert mode(tmp_path / "links.csv") == 0o600
    assert (tmp_path / "links.csv").read_text().splitlines()[1] == '"/scans/DOE, JANE",A1,in,'
