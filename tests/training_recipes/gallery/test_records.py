"""What the gallery says of a clip: its card for filters, its facts for whoever clicks, and why it was rejected."""

import math

import pytest
from fakes.cache import fake_plan, generate, write_clips
from fakes.echo import make_clip

from echo_augment.cache import ClipStore, Provenance, fill
from echo_augment.cache.rejections import read_reasons
from echo_augment.training_recipes.filling.readings import Readings
from echo_augment.training_recipes.gallery.records import Card, Known


def one(folder, **changes) -> ClipStore:
    clip = make_clip(1, **changes)
    return write_clips(folder, [clip], fingerprint=clip.provenance.fingerprint if clip.provenance else "")


def test_a_card_is_a_row_in_the_order_of_the_page_s_script():
    card = Card(clip_id="c", ef=51.23456, confidence=0.5, motion_donor="A", appearance_donor="B")
    assert card.to_json() == ["c", 51.235, 0.5, "A", "B", "", 0, 0.0, None]


def test_a_stored_clip_s_card_has_its_label_its_donors_and_what_the_gate_read(tmp_path):
    store = one(tmp_path)
    readings = Readings(tmp_path)
    readings.add("clip001", read_ef=18.0, label_ef=21.0)
    readings.close()
    card = Known.of(store).card(store.lazy(0), 16, 1.28)
    assert card.to_json() == ["clip001", 21.0, 0.5, "motion1", "look1", "", 16, 1.28, 3.0]


def test_what_is_not_known_of_a_clip_is_none(tmp_path):
    store = one(tmp_path, ef=math.nan, provenance=None)
    card = Known.of(store).card(store.lazy(0), 1, 1.0)
    assert (card.ef, card.motion_donor, card.appearance_donor, card.off) == (None, "", "", None)


def test_facts_are_everything_else_that_is_known(tmp_path):
    source = Provenance("A", "B", 7, "ddim-2", "tiny", "f" * 8, extra={"tempo": 1.5, "long": "x" * 400, "list": [1, 2]})
    store = one(tmp_path, provenance=source)
    readings = Readings(tmp_path)
    readings.add("clip001", nearest=0.25)
    readings.add("another", nearest=0.75)
    readings.close()
    facts = Known.of(store).facts(store, 0)
    assert facts["Frames"] == "16 of 16 x 16 pixels at 12.5 per second"
    assert facts["ED and ES frame"] == "2 and 7" and facts["Gate: nearest"] == 0.25
    assert (facts["Seed"], facts["Sampler"], facts["Preset"], facts["Fingerprint"]) == (7, "ddim-2", "tiny", "f" * 8)
    assert facts["tempo"] == 1.5 and facts["list"] == "[1, 2]" and facts["long"] == "x" * 300 + "…"
    assert facts["Shard"] in store.shards


@pytest.mark.parametrize(("ed", "es", "name", "value"), [(3, -1, "ED frame", "3"), (-1, 4, "ES frame", "4")])
def test_one_end_of_a_beat_alone_is_named(tmp_path, ed, es, name, value):
    store = one(tmp_path, ed_frame=ed, es_frame=es)
    facts = Known.of(store).facts(store, 0)
    assert facts[name] == value


def test_facts_without_provenance_and_ends_leave_out_what_is_not_there(tmp_path):
    store = one(tmp_path, provenance=None, ed_frame=-1, es_frame=-1)
    assert list(Known.of(store).facts(store, 0)) == ["Frames", "Shard"]


def gate(line, clip):
    return f"label: EF {clip.ef:.1f}" if line.seed % 4 == 0 else None


def test_rejected_clips_have_cards_with_donors_of_the_plan(tmp_path):
    plan = fake_plan(30)
    fill(plan, generate, tmp_path, gates=[gate], progress=False)
    reasons = read_reasons(tmp_path)
    name = sorted(reasons)[0]
    readings = Readings(tmp_path)
    readings.add(name, read_ef=70.0, label_ef=40.0)
    readings.close()
    cards = Known.of(ClipStore(tmp_path)).rejected_cards()
    assert [card.clip_id for card in cards] == sorted(reasons) and cards[0].reason == reasons[name]
    assert (cards[0].ef, cards[0].off) == (40.0, 30.0) and cards[1].ef is None
    lines = {line.clip_id: (line.motion_donor, line.appearance_donor) for line in plan.lines + plan.reserve}
    assert {card.clip_id: (card.motion_donor, card.appearance_donor) for card in cards} == {
        clip: lines[clip] for clip in reasons
    }
    (tmp_path / "plan.jsonl").unlink()
    assert {card.motion_donor for card in Known.of(ClipStore(tmp_path)).rejected_cards()} == {""}


def test_a_clip_that_was_stored_after_all_is_not_among_the_rejected(tmp_path):
    fill(fake_plan(12), generate, tmp_path, gates=[gate], progress=False)
    reasons = read_reasons(tmp_path)
    store = ClipStore(tmp_path)
    (tmp_path / "other").mkdir()
    assert (
        reasons and not set(Known.of(store).reasons) & set(store.ids) and set(Known.of(store).reasons) == set(reasons)
    )
