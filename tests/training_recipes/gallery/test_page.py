"""The gallery's page without a browser: what is in it, how large it is, and that nothing in it can break out."""

import base64
import json
import re

import pytest
from fakes.cache import fake_plan, generate
from fakes.echo import make_clip

from echo_augment.cache import ClipStore, EchoAugmentError, Provenance, StoreWriter, fill
from echo_augment.cache.rejections import read_reasons
from echo_augment.training_recipes.filling.readings import Readings
from echo_augment.training_recipes.gallery import page as page_module
from echo_augment.training_recipes.gallery import write_gallery
from echo_augment.training_recipes.gallery.page import for_page

ID, EF, CONFIDENCE, MOTION, APPEARANCE, REASON, FRAMES, SECONDS, OFF = range(9)  # of Card.to_json


def gate(line, clip):
    return f"label: EF {clip.ef:.1f}" if line.seed % 4 == 0 else None


@pytest.fixture
def cache(tmp_path):
    plan = fake_plan(30)
    fill(plan, generate, tmp_path / "cache", gates=[gate], progress=False)
    return tmp_path / "cache"


def parts(path):
    """The data of a page, and its chunks."""
    found = re.findall(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found[0][0] == "data" and [name for name, _ in found[1:]] == [f"chunk-{k}" for k in range(len(found) - 1)]
    return json.loads(found[0][1]), [json.loads(text) for _, text in found[1:]]


def test_every_clip_is_there_with_its_labels_and_provenance(cache, tmp_path):
    page = write_gallery(cache, tmp_path / "out")
    store = ClipStore(cache)
    assert (page.clips, page.beside, page.thumbnail) == (len(store), False, 112)
    assert page.path == tmp_path / "out" / "gallery.html"
    assert page.size == page.path.stat().st_size and page.to_json()["path"] == str(page.path)
    data, chunks = parts(page.path)
    assert [len(chunk["strips"]) for chunk in chunks] == [24, len(store) - 24] and data["per"] == 24
    facts = [fact for chunk in chunks for fact in chunk["about"]]
    for k, clip in enumerate(store):
        row = data["clips"][k]
        assert row[:5] == [
            clip.clip_id,
            round(clip.ef, 3),
            0.5,
            clip.provenance.motion_donor,
            clip.provenance.appearance_donor,
        ]
        assert row[REASON] == "" and row[FRAMES] == 6 and row[SECONDS] == 0.48 and row[OFF] is None
        assert (
            facts[k]["Seed"] == clip.provenance.seed
            and facts[k]["tempo"] == 1.5
            and facts[k]["ED and ES frame"] == "0 and 3"
        )
        assert facts[k]["Frames"] == "6 of 24 x 24 pixels at 12.5 per second" and facts[k]["Shard"] in store.shards


def test_rejected_clips_have_reasons_donors_and_counts(cache, tmp_path):
    readings = Readings(cache)
    reasons = read_reasons(cache)
    rejected, stored, count = sorted(reasons)[0], ClipStore(cache).ids[0], len(ClipStore(cache))
    readings.add(rejected, read_ef=70.0, label_ef=40.0)
    readings.add(stored, read_ef=33.0, label_ef=30.0)
    readings.close()
    page = write_gallery(cache, tmp_path / "out")
    data, chunks = parts(page.path)
    assert page.rejected == len(reasons) > 0 and data["rejected"] == {"label": len(reasons)} and data["stored"] == count
    rows = {row[ID]: row for row in data["clips"][count:]}
    assert {name: row[REASON] for name, row in rows.items()} == reasons
    assert all(row[MOTION].startswith("H") and row[APPEARANCE].startswith("H") for row in rows.values())
    assert rows[rejected][EF] == 40.0 and rows[rejected][OFF] == 30.0
    assert data["clips"][0][OFF] == 3.0 and chunks[0]["about"][0]["Gate: read_ef"] == 33.0
    assert data["gates"][0] == f"Gates: {count} clips passed, {len(reasons)} were rejected and are not stored"
    assert f"rejected by label: {len(reasons)}" in data["gates"]


def test_the_page_stands_alone(cache, tmp_path):
    text = write_gallery(cache, tmp_path / "out").path.read_text()
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", text) and "@import" not in text and "url(" not in text
    assert not re.search(r"https?://", text) and "{{" not in re.sub(r"\$\{\{|=> \{\{", "", text)


def test_nothing_in_a_cache_can_break_out_of_the_page(tmp_path):
    nasty = "</script><script>alert(1)</script><!-- {{chunks}} {{data}} \u2028"
    clip = make_clip(1, clip_id=nasty, provenance=Provenance(nasty, "B", 1, extra={nasty: nasty * 20}))
    with StoreWriter(tmp_path / nasty.replace("/", "_")) as writer:
        writer.add(clip)
    page = write_gallery(writer.folder, tmp_path / "out")
    data, chunks = parts(page.path)
    assert data["clips"][0][ID] == data["clips"][0][MOTION] == nasty and data["name"] == writer.folder.name
    assert len(chunks[0]["about"][0][nasty]) == 301
    assert page.path.read_text().count("<script") == 3
    assert "<" not in for_page({"a": "<b>"}) and json.loads(for_page({"a": "<b>"})) == {"a": "<b>"}


def test_thumbnails_shrink_and_then_leave_a_page_that_grows_too_large(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "ROOMY", 1.0)
    assert write_gallery(cache, tmp_path / "small").thumbnail == 48
    monkeypatch.setattr(page_module, "LARGEST", 1.0)
    page = write_gallery(cache, tmp_path / "out")
    data, chunks = parts(page.path)
    assert page.beside and data["beside"] and chunks == []
    files = sorted((tmp_path / "out" / "clips").iterdir())
    assert [file.name for file in files] == ["0.js", "1.js"]
    assert page.size == page.path.stat().st_size + sum(file.stat().st_size for file in files)
    strip = json.loads(re.fullmatch(r"galleryChunk\(1,(.*)\)", files[1].read_text())[1])["strips"][0]
    assert base64.b64decode(strip)[:4] == b"RIFF"


@pytest.mark.parametrize("value", [0, 15, 257, 50.5, True, "large"])
def test_a_bad_thumbnail_is_refused(cache, tmp_path, value):
    with pytest.raises(EchoAugmentError, match="thumbnail must be a whole number from 16 to 256"):
        write_gallery(cache, tmp_path, thumbnail=value)


def test_an_empty_or_absent_cache_is_refused(tmp_path):
    with pytest.raises(EchoAugmentError, match="there is no cache at"):
        write_gallery(tmp_path / "none", tmp_path)
    (tmp_path / "empty" / "shards").mkdir(parents=True)
    with pytest.raises(EchoAugmentError, match="no clips to show"):
        write_gallery(tmp_path / "empty", tmp_path)
