"""The page of `clapboard animate serve` in a real browser: what a visitor presses, and what then is there."""

import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from training.animate.shipped import shipped_adapter

pytest.importorskip("gradio", reason="no gradio here: pip install 'clapboard[page]'")

PLAYS = "() => document.querySelector('#result video')?.duration > 0"
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def address():
    """A served page on the adapter that ships; ended as Ctrl-C does."""
    clapboard = [sys.executable, "-c", "from flows.cli import main; main()"]
    command = [*clapboard, "animate", "serve", "--port", "0", "--device", "cpu", "--run", str(shipped_adapter())]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield server.stdout.readline().split()[1]
    server.send_signal(signal.SIGINT)
    assert server.wait(60) == 0
    server.stdout.close()


@pytest.fixture
def page(chromium, address):
    """The page, opened; `page.asked` names the hosts that the browser turned to, `page.faults` what scripts threw."""
    opened = chromium.new_page(viewport={"width": 1280, "height": 1000})
    opened.asked, opened.faults = set(), []
    opened.on("request", lambda asked: opened.asked.add(re.sub(r"^(https?://[^/]+).*", r"\1", asked.url)))
    opened.on("pageerror", lambda fault: opened.faults.append(str(fault)))
    opened.goto(address)
    opened.wait_for_selector("#go")
    yield opened
    opened.close()


def pick_the_first(page):
    page.locator("#examples button:has(img)").first.click()
    page.wait_for_selector("#image img")
    page.wait_for_selector("#sound audio, #sound [data-testid^=waveform]", state="attached")


def give(page, *, image, sound):
    page.locator("#image input[type=file]").set_input_files(image)
    page.locator("#sound input[type=file]").set_input_files(sound)
    page.wait_for_selector("#image img", state="attached")
    page.wait_for_selector("#sound input[type=file]", state="detached")


def test_an_example_becomes_a_video_above_its_curves_and_nobody_else_is_asked(page, address):
    pick_the_first(page)
    page.click("#go")
    page.wait_for_function(PLAYS, timeout=WAIT_MS)
    seconds = page.evaluate("document.querySelector('#result video').duration")
    assert seconds == pytest.approx(2, abs=0.1)
    curves = page.locator("#curves svg")
    assert "in seconds" in curves.get_attribute("aria-label") and curves.locator("polyline").count() == 1
    result = page.locator("#result video").bounding_box()
    assert result["y"] + result["height"] <= curves.bounding_box()["y"]
    # A second one: both stand on the shelf, and the record that one downloads tells its seed.
    page.get_by_label(re.compile("number input for Seed")).fill("7")
    page.get_by_label(re.compile("number input for Seed")).blur()
    page.wait_for_function("[...document.querySelectorAll('input[type=range]')].some(one => one.value == 7)")
    page.click("#go")
    page.wait_for_function("document.querySelectorAll('#earlier button img').length == 2", timeout=WAIT_MS)
    assert "seed 7" in page.locator("#earlier").inner_text()
    with page.expect_download() as given:
        page.locator("#files a[download='animation.json']").first.click()
    assert json.loads(given.value.path().read_text())["request"]["settings"]["seed"] == 7
    page.locator("#earlier button:has(img)").nth(1).click()
    page.wait_for_function(PLAYS)
    assert {one for one in page.asked if one.startswith("http")} == {address.rstrip("/")}
    assert page.faults == []


@pytest.mark.parametrize("bad", ["image", "sound", "silence"])
def test_a_file_that_is_none_gets_its_sentence(page, tmp_path, bad):
    image, sound = tmp_path / "image.png", tmp_path / "sound.wav"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(image)
    noise = np.random.default_rng(0).integers(-9000, 9000, 16_000).astype(np.int16)
    wavfile.write(sound, 16_000, noise * (bad != "silence"))
    if bad != "silence":
        (image if bad == "image" else sound).write_bytes(b"neither picture nor sound " * 40)
    give(page, image=image, sound=sound)
    page.click("#go")
    words = {"image": "is no image that can be read", "sound": "is no sound that can be read", "silence": "is silent"}
    told = page.get_by_text(re.compile(words[bad])).first
    told.wait_for(timeout=WAIT_MS)
    assert "/" not in told.inner_text(), "where uploads lie is nobody's business"


def test_without_anything_it_says_what_is_missing(page):
    page.click("#go")
    page.get_by_text("there is no image yet").first.wait_for(timeout=WAIT_MS)


def test_other_sites_and_other_names_are_turned_away(page, address):
    answer = page.request.get(address, headers={"Origin": "http://evil.example"})
    assert answer.status == 403
    assert page.request.get(address, headers={"Host": "evil.example"}).status == 400
    assert "default-src 'self'" in page.request.get(address).headers["content-security-policy"]
