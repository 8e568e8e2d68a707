"""The columns of a table in EchoNet's spelling, whatever a map or the file calls them."""

import pytest

from echo_augment.augmentor.data.layouts.finding import ListFile
from echo_augment.augmentor.data.layouts.rows import read_list
from echo_augment.cache.errors import EchoAugmentError


def listing(tmp_path, text, **options):
    (tmp_path / "list.csv").write_text(text)
    return ListFile(path=tmp_path / "list.csv", folders=(tmp_path,), **options)


def test_known_columns_are_found_and_renamed(tmp_path):
    file, place = read_list(listing(tmp_path, "file_name,ejection fraction,fold,Note\nA,50,1,x\n"))
    assert file.header == ("FileName", "EF", "Split", "Note") and place == {"FileName": 0, "EF": 1, "Split": 2}


def test_a_column_is_one_thing_only(tmp_path):
    columns = (("FileName", "name"), ("Split", "file"))
    file, place = read_list(listing(tmp_path, "name,file,ef\nA,TRAIN,50\n", columns=columns))
    assert place == {"FileName": 0, "Split": 1, "EF": 2} and file.header == ("FileName", "Split", "EF")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FileName,EF\n", "lists no videos"),
        ("FileName,Note\nA,x\n", "has no column EF; its columns are FileName, Note"),
    ],
)
def test_what_a_table_must_have(tmp_path, text, message):
    with pytest.raises(EchoAugmentError, match=message):
        read_list(listing(tmp_path, text))
    assert len(read_list(listing(tmp_path, "FileName,Note\nA,x\n", required=()))[0].rows) == 1
