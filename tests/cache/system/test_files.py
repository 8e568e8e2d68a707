"""Files are written whole or not at all."""

import errno
import json
import os
import stat

import pytest

from echo_augment.cache.system.files import atomic_path, read_at, sync_folder, write_json


def test_a_file_is_replaced_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    for text in ("old", "new"):
        with atomic_path(path) as temporary:
            temporary.write_text(text)
            assert temporary.parent == path.parent and (not path.exists() or path.read_text() == "old")
    assert path.read_text() == "new" and [one.name for one in path.parent.iterdir()] == ["a.txt"]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_the_mode_is_that_of_a_plain_file(tmp_path):
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "a") as temporary:
        temporary.touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_nan_is_no_json_and_writes_nothing(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", float("nan"))
    assert not (tmp_path / "b.json").exists()


def test_bytes_are_read_from_any_place_but_not_past_the_end(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    with (tmp_path / "a").open("rb") as file:
        assert read_at(file.fileno(), 3, 4) == b"456" and file.tell() == 0
        with pytest.raises(OSError, match="ends after 2 of 3 bytes at 8"):
            read_at(file.fileno(), 3, 8)


@pytest.mark.parametrize("call", ["chmod", "fsync"])
@pytest.mark.parametrize("code", [errno.EPERM, errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_without_modes_or_syncing_of_folders(tmp_path, monkeypatch, call, code):
    """CIFS, exFAT and FUSE refuse these; a file's own fsync must not be passed over."""
    real = getattr(os, call)

    def refuse(what, *more, **named):
        if call == "chmod" or stat.S_ISDIR(os.fstat(what).st_mode):
            raise OSError(code, os.strerror(code))
        return real(what, *more, **named)

    monkeypatch.setattr(os, call, refuse)
    write_json(tmp_path / "a.json", {"a": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.skipif(os.name != "posix", reason="nothing is synced")
def test_a_disk_that_fails_is_not_passed_over(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        sync_folder(tmp_path)
