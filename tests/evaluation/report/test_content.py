"""A report as JSON and back, also one of an earlier version."""

import json

from fakes.report import level, whole

from echo_augment.evaluation.report.content import BenchmarkReport

KEYS = {"job", "task", "data", "label_fraction", "labelled_hearts", "seeds", "arms", "contrasts", "recovered_gain"}
KEYS |= {"gains", "level", "hearts", "steps", "batch_size", "fingerprint", "clips", "skipped", "notes", "verdict"}
KEYS |= {"versions", "config", "overrides", "trainings", "machine", "minutes", "crossings"}


def test_it_has_the_published_keys():
    assert set(whole([level(16, 1.0)]).to_json()) == KEYS
    assert set(whole([level(16, 1.0), level(64, 1.0)]).to_json()) == KEYS | {"fractions"}


def test_what_is_written_is_what_is_read():
    report = whole([level(16, 1.0), level(64, 1.0)])
    assert BenchmarkReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_an_earlier_report_without_times_is_read():
    plain = whole([level(16, 1.0)]).to_json()
    earlier = {key: value for key, value in plain.items() if key not in ("trainings", "machine", "minutes")}
    report = BenchmarkReport.from_json({**earlier, "later": 1})
    assert (report.trainings, report.machine, report.minutes) == (None, None, None)


def test_the_levels_are_the_fractions_or_the_report_itself():
    one, two = whole([level(16, 1.0)]), whole([level(16, 1.0), level(64, 1.0)])
    assert [found.labelled for found in one.levels] == [16]
    assert [found.labelled for found in two.levels] == [16, 64]
