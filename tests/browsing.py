"""A real browser, and the review page as a reviewer at the keyboard has it; a helper of the tests."""

import os
import shutil
from urllib.parse import urlsplit

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A test is no user: sound may play before the first key, and nothing is asked of the outside.
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Names that are not this machine's: what browsers keep from pages without https is kept from the first, and the
    # second was made to lead here by somebody else.
    "--host-resolver-rules=MAP reviews.example 127.0.0.1, MAP evil.example 127.0.0.1",
)

SETTLED = "document.querySelector('[data-state=clip] #players video:not(.waiting)')"

PLAYING = f"""(before) => {{
  const video = {SETTLED};
  const another = document.getElementById('desk')?.dataset.clip !== before;
  return another && video && !video.paused && video.currentTime > 0
    && document.getElementById('clock').textContent.includes(' / ');
}}"""


@pytest.fixture(scope="module")
def chromium():
    """A browser that tests drive; closed behind them, since a page that plays films slows down every later test."""
    found = os.environ.get("CLAPBOARD_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium, or name one with CLAPBOARD_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(SWITCHES))
        yield browser
        browser.close()


class Desk:
    """The page as a reviewer at the keyboard has it."""

    def __init__(self, page):
        self.page = page
        self.hosts, self.errors = set(), []
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, link):
        self.page.goto(link)
        self.playing()
        return self

    @property
    def clip(self):
        return self.page.get_attribute("#desk", "data-clip")

    def playing(self, not_clip=None):
        """Wait until a clip (another than that) plays, and its curves are there."""
        self.page.wait_for_function(
            PLAYING,
            arg=not_clip,
            timeout=60_000,
        )
        # The page takes no answer to a clip that nobody can have seen yet.
        self.page.wait_for_timeout(300)

    def answer(self, *keys):
        before = self.clip
        for key in keys:
            self.page.keyboard.press(key)
        self.playing(not_clip=before)
        return before

    def frame(self, count):
        for _ in range(abs(count)):
            self.page.keyboard.press("." if count > 0 else ",")
            self.page.wait_for_timeout(30)

    def took_ms(self, what):
        """How long each of the page's own measures of that name took, shortest first."""
        found = self.page.evaluate("(name) => performance.getEntriesByName(name).map((one) => one.duration)", what)
        return sorted(found)

    def answered(self, count):
        """Wait until the server has that many answers."""
        self.page.wait_for_function(
            "(count) => document.querySelector('#count b:last-child').textContent === String(count)", arg=count
        )
