"""The gallery in a real browser, at desktop and phone width."""

import json

import numpy as np
import pytest
from fakes.browser import Browser, needs_browser
from fakes.cache import fake_plan, generate

from echo_augment.augmentor import CachedClips
from echo_augment.cache import ClipStore, EchoClip, Provenance, StoreWriter, fill
from echo_augment.training_recipes.gallery import page as page_module
from echo_augment.training_recipes.gallery import write_gallery

pytestmark = needs_browser
CLIPS = 1200
WIDTHS = {"desktop": (1280, 900, False), "phone": (390, 844, True)}
PAINTED = """(() => {
  const seen = [...document.querySelectorAll(".tile:not([hidden]) canvas")].filter((c) => c.width > 1);
  return seen.length > 3 && seen.length === document.querySelectorAll(".tile:not([hidden])").length;
})()"""
SCROLL = """(async () => {
  const gaps = [];
  let last = performance.now();
  for (let k = 0; k < 90; k += 1) {
    await new Promise(requestAnimationFrame);
    gaps.push(performance.now() - last);
    last = performance.now();
    scrollBy(0, 60);
  }
  return gaps.sort((a, b) => a - b);
})()"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Clips whose brightness tells the frame: frame k of clip i is (i % 20) * 4 + 10 k, a bright corner apart."""
    folder = tmp_path_factory.mktemp("gallery") / "cache"
    with StoreWriter(folder, fingerprint="fp") as writer:
        for k in range(CLIPS):
            frames = np.full((8, 32, 32), 0, np.uint8) + (np.arange(8, dtype=np.uint8) * 20 + 40)[:, None, None]
            source = Provenance(f"M{k % 50}", f"A{k % 7}", k, "ddim-4", "tiny", "fp", extra={"tempo": 1.25})
            ef = float("nan") if k % 100 == 99 else 10 + 70 * k / CLIPS
            writer.add(EchoClip(f"c{k:04d}", frames, 12.5, ef, 0, 4, round(k / CLIPS, 3), None, source))
    return folder


@pytest.fixture(scope="module")
def page(cache):
    return write_gallery(cache, cache.parent / "out").path


@pytest.fixture(params=list(WIDTHS))
def browser(request, page, tmp_path):
    width, height, phone = WIDTHS[request.param]
    with Browser(tmp_path) as browser:
        browser.open(page, width=width, height=height, phone=phone)
        browser.phone = phone
        yield browser
        assert browser.complaints() == []
        assert {url.rpartition("/")[2] for url in browser.requests()} == {"gallery.html"}, "nothing else is loaded"


def count(browser):
    return browser.run("document.getElementById('count').textContent")


def filters(browser):
    if browser.phone and not browser.run("document.getElementById('filters').classList.contains('open')"):
        browser.click("#toggle")


def ids(browser):
    """The clips on the screen, in the order of the elements."""
    shown = "[...document.querySelectorAll('.tile:not([hidden]) .open')]"
    return browser.run(f"{shown}.map((e) => e.ariaLabel.split(/[ ,]/)[1])")


def wait_for(browser, clip):
    browser.wait(f"document.querySelector(\".tile:not([hidden]) .open[aria-label^='Clip {clip},']\") !== null")
    browser.wait(PAINTED)


def test_it_shows_moving_clips_and_fits_the_width(browser):
    browser.wait(PAINTED)
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert count(browser) == "1,200 of 1,200 clips"
    tiles = "[...document.querySelectorAll('.tile:not([hidden])')]"
    columns = browser.run(f"new Set({tiles}.map((e) => e.getBoundingClientRect().x)).size")
    assert columns == (2 if browser.phone else 6)
    levels = browser.run(
        """(async () => {
          const canvas = document.querySelector(".tile:not([hidden]) canvas"), seen = new Set();
          for (let k = 0; k < 60; k += 1) {
            await new Promise(requestAnimationFrame);
            seen.add(Math.round((canvas.getContext("2d").getImageData(16, 16, 1, 1).data[0] - 40) / 20));
          }
          return [...seen].sort();
        })()"""
    )
    assert len(levels) >= 6 and set(levels) <= set(range(8)), "the frames of the clip, one after the other"
    browser.click("#play")
    still = "document.querySelector('.tile:not([hidden]) canvas').getContext('2d').getImageData(16, 16, 1, 1).data[0]"
    assert browser.run("document.getElementById('play').textContent") == "Play"
    before = browser.run(still)
    assert browser.run(f"new Promise((resolve) => setTimeout(() => resolve({still}), 300))") == before
    assert browser.run(f"{tiles}.every((e) => e.querySelector('.tick').getBoundingClientRect().width >= 36)")


def test_a_thousand_clips_scroll_with_few_elements(browser):
    browser.wait(PAINTED)
    gaps = browser.run(SCROLL)
    assert gaps[len(gaps) // 2] < 50, "half of the frames come within 50 ms even on a busy machine"
    browser.run("scrollTo(0, document.body.scrollHeight)")
    wait_for(browser, "c1199")
    assert ids(browser) == sorted(ids(browser)), "the tab key goes through them in order"
    assert browser.run("document.querySelectorAll('.tile').length") < 120
    browser.run("scrollTo(0, 0)")
    wait_for(browser, "c0000")
    assert ids(browser) == [f"c{k:04d}" for k in range(len(ids(browser)))]


def test_filters(browser):
    filters(browser)
    browser.type_into("#ef-from", "70")
    browser.type_into("#ef-to", "75")
    wanted = [k for k in range(CLIPS) if 70 <= 10 + 70 * k / CLIPS <= 75 and k % 100 != 99]
    assert count(browser) == f"{len(wanted)} of 1,200 clips"
    browser.type_into("#confidence", "0.9")
    assert count(browser) == f"{sum(round(k / CLIPS, 3) >= 0.9 for k in wanted)} of 1,200 clips"
    browser.run("document.querySelector('#filters button[type=reset]').click()")
    browser.wait("document.getElementById('count').textContent.startsWith('1,200')")
    browser.type_into("#words", "m13")
    assert count(browser) == "24 of 1,200 clips"
    browser.type_into("#words", "c0042")
    assert count(browser) == "1 of 1,200 clips" and ids(browser) == ["c0042"]
    browser.type_into("#words", "nobody")
    assert count(browser) == "0 of 1,200 clips" and browser.run("!document.getElementById('none').hidden")
    browser.type_into("#words", "")
    browser.run(
        "(() => { const o = document.getElementById('order'); o.value = 'EF, highest first';"
        " o.dispatchEvent(new Event('input', {bubbles: true})); scrollTo(0, 0); })()"
    )
    wait_for(browser, "c1198")
    assert "c1198" in ids(browser) and "c1199" not in ids(browser), "a clip without EF comes last"


def test_a_click_tells_where_a_clip_comes_from(browser):
    browser.wait(PAINTED)
    browser.click(".tile:not([hidden]) .open")
    browser.wait("document.querySelectorAll('#facts dt').length > 10")
    facts = browser.run(
        "Object.fromEntries([...document.querySelectorAll('#facts dt')]"
        ".map((e) => [e.textContent, e.nextSibling.textContent]))"
    )
    assert facts["Motion donor"] == "M0" and facts["Sampler"] == "ddim-4" and facts["tempo"] == "1.25"
    assert facts["Frames"] == "8 of 32 x 32 pixels at 12.5 per second"
    assert browser.run("document.getElementById('one').getBoundingClientRect().right <= innerWidth")
    browser.wait("document.getElementById('big').width === 32")
    browser.click("#after")
    browser.wait("document.getElementById('one-id').textContent === 'c0001'")
    browser.click("#one-out")
    browser.click("#close")
    assert browser.run("document.getElementById('ticked').textContent") == "1 left out"
    assert browser.run("document.querySelectorAll('.tile.out').length") == 1


def test_the_list_is_saved_loaded_and_taken_by_cached_clips(browser, cache, page):
    browser.wait(PAINTED)
    for place in (2, 4):
        browser.click(f".tile:nth-child({place}) .tick input")
    assert browser.run("document.getElementById('ticked').textContent") == "2 left out"
    browser.click("#save-text")
    browser.click("#more")
    browser.click("#save-json")
    for _ in range(200):
        if sorted(path.name for path in browser.downloads.iterdir()) == ["exclude.json", "exclude.txt"]:
            break
        browser.run("new Promise((resolve) => setTimeout(resolve, 50))")
    assert (browser.downloads / "exclude.txt").read_text() == "c0001\nc0003\n"
    assert json.loads((browser.downloads / "exclude.json").read_text()) == ["c0001", "c0003"]
    for name in ("exclude.txt", "exclude.json"):
        source = CachedClips(cache, exclude=browser.downloads / name)
        assert len(source) == CLIPS - 2 and "c0003" not in source.ids
    browser.click("#clear")
    assert browser.run("document.getElementById('ticked').textContent") == "0 left out"
    object_id = browser.send("Runtime.evaluate", expression="document.getElementById('load')")["result"]["objectId"]
    browser.send("DOM.setFileInputFiles", files=[str(browser.downloads / "exclude.txt")], objectId=object_id)
    browser.wait("document.getElementById('ticked').textContent === '2 left out'")
    filters(browser)
    browser.click("#only")
    assert count(browser) == "2 of 1,200 clips" and ids(browser) == ["c0001", "c0003"]
    browser.send("Page.reload")
    browser.wait("document.readyState === 'complete' && document.getElementById('ticked').textContent === '2 left out'")
    browser.run("localStorage.clear()")


def test_rejected_clips_and_files_beside_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "LARGEST", 1.0)
    monkeypatch.setattr(page_module, "ROOMY", 1.0)

    def gate(line, clip):
        return f"label: EF {clip.ef:.1f}" if line.seed % 4 == 0 else None

    fill(fake_plan(40), generate, tmp_path / "cache", gates=[gate], progress=False)
    page = write_gallery(tmp_path / "cache", tmp_path / "out")
    with Browser(tmp_path) as browser:
        browser.open(page.path, width=1280, height=900)
        browser.wait(PAINTED)
        assert [url.rpartition("/")[2] for url in browser.requests()][:2] == ["gallery.html", "0.js"]
        browser.run(
            "(() => { const g = document.getElementById('gate'); g.value = 'rejected:label';"
            " g.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
        assert browser.run("document.getElementById('count').textContent") == f"{page.rejected} of {page.clips} clips"
        assert browser.run("document.querySelector('.tile:not([hidden]) .why').textContent").startswith(
            "not stored: label: EF"
        )
        assert set(ids(browser)).isdisjoint(ClipStore(tmp_path / "cache").ids)
        browser.click(".tile:not([hidden]) .open")
        assert "Rejected by gate" in browser.run("document.getElementById('facts').textContent")
        assert browser.complaints() == []
