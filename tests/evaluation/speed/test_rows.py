"""Rows, verdicts and tables as text."""

from echo_augment.evaluation.speed.rows import (
    MISSING,
    PASS,
    SHORT,
    Row,
    Surroundings,
    Table,
    markdown,
    missing,
    number,
    summary,
    terminal,
)
from echo_augment.evaluation.speed.timing import Spread


def test_verdicts():
    found = Spread(1.7, 1.5, 2.0)
    assert Row(what="a", found=found, target=1.6).verdict == PASS
    assert Row(what="a", found=found, target=1.6, at_least=False).verdict == SHORT
    assert Row(what="a", found=found).verdict == ""
    assert missing("a", "why", target=3).verdict == MISSING
    assert Row(what="a", found=found, target=40).cells() == ("a", "1.70x", "1.50 to 2.00", "at least 40.0x", SHORT, "")
    assert missing("a", "no GPU here", target=40).to_json()["median"] is None
    assert [number(value) for value in (1234.4, 40, 1.557, 0.0123)] == ["1234", "40.0", "1.56", "0.0123"]


def test_tables_as_text():
    rows = [Row(what="a | b", found=Spread(50, 40, 60), target=40, detail="1 ms against 50 ms"), missing("c", "no GPU")]
    table = Table(name="store", title="reading", how="By hand.", rows=rows)
    machine = Surroundings(cores=2, processor="x", load=0.1, devices=[], torch_threads=2, torch="2", python="3")
    text = markdown([table], machine, "2 phantoms")
    assert "a \\| b | 50.0x | 40.0 to 60.0 | at least 40.0x | pass | 1 ms against 50 ms |" in text
    assert "no GPU" in text and "2 phantoms" in text and "2 cores" in text
    lines = terminal(table).splitlines()
    assert lines[0] == "store: reading" and any("pass" in line and "50.0x" in line for line in lines)
    assert summary(rows) == "1 of 1 targets met, 1 figures not measured"


def test_a_machine_is_told_in_a_line():
    machine = Surroundings(
        cores=4, processor="x", load=None, devices=["H"], torch_threads=2, torch="2.1", python="3.11"
    )
    assert str(machine) == "4 cores (x); H; torch 2.1 on 2 threads; Python 3.11"
