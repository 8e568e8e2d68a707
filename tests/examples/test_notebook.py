"""The notebook runs from top to bottom on a CPU, and as committed it is small and names no machine."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples" / "first_look.ipynb"


def test_as_committed_it_is_small_and_names_no_machine():
    text = NOTEBOOK.read_text("utf-8")
    assert len(text) < 1_500_000 and not re.search(r"/(home|root|tmp|work|Users)/", text)
    cells = json.loads(text)["cells"]
    assert all(cell["outputs"] or "rmtree" in "".join(cell["source"]) or number < 3
               for number, cell in enumerate(one for one in cells if one["cell_type"] == "code"))  # fmt: skip
    assert "Nothing here was ever\n> run on the real EchoNet-Dynamic" in "".join(cells[0]["source"])


@pytest.mark.slow
def test_it_runs(tmp_path):
    book = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(book, timeout=1800, kernel_name="python3", resources=resources).execute()
    said = "".join(str(output.get("text", "")) for cell in book.cells for output in cell.get("outputs", []))
    assert "6 of 6 clips" in said and "got the TEST split" in said and "'cached': 3" in said
