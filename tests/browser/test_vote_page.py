"""A voter at the keyboard of a real browser, from the printed link to the tally."""

import json
import signal
import subprocess
import sys

import pytest
from axe_playwright_python.sync_playwright import Axe
from typer.testing import CliRunner

from flows.cli.app import app
from flows.evaluation.voting.study import read_plan
from flows.evaluation.voting.votes import Votes
from training.world import FilmSpec, draw, write_film

pytestmark = pytest.mark.timeout(300)
SERIOUS = ("serious", "critical")
CLAPBOARD = (sys.executable, "-c", "from flows.cli import main; main()", "evaluate", "vote")


@pytest.fixture(scope="module")
def makers(tmp_path_factory):
    """One maker's films move, the other's are still."""
    place = tmp_path_factory.mktemp("makers")
    for seed in range(5):
        spec = {"scene": "hammering_anvil", "seed": seed, "duration_s": 1.0, "width_px": 160, "height_px": 120}
        for maker, static in (("moving", False), ("frozen", True)):
            write_film(draw(FilmSpec(**spec, static=static)), place / maker / f"film-{seed}.mp4")
    return place


@pytest.fixture
def served(makers, tmp_path):
    """The command, running; it is ended as Ctrl-C does."""
    command = [*CLAPBOARD, makers / "moving", makers / "frozen", "--out", tmp_path / "study", "--voter", "ada"]
    command += ["--port", "0", "--pairs", "5", "--repeats", "0"]
    server = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    server.link = server.stdout.readline().split()[1]
    yield server
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
    server.communicate(timeout=60)


def at_pair(page, number):
    page.wait_for_selector(f"#vote[data-state=pair][data-number='{number}']")


def start(page):
    """Space, unless it plays: once a page was touched it does so on its own, and looking into it counts as touching."""
    if page.query_selector(".playing") is None:
        page.keyboard.press("Space")


def watched(page):
    """Until both films were played to their end."""
    page.wait_for_selector("#vote-left[aria-disabled=false]", timeout=60_000)


def test_five_pairs_by_keyboard(chromium, served, tmp_path):
    page = chromium.new_context(viewport={"width": 1280, "height": 720}).new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(served.link)
    at_pair(page, 0)
    page.wait_for_timeout(300)
    page.keyboard.press("1")
    assert "Watch both to the end first" in page.inner_text("#said")
    start(page)
    page.wait_for_selector("#left.playing")
    page.wait_for_selector("#right.playing")
    trials = read_plan(tmp_path / "study").trials("ada")
    for number, trial in enumerate(trials):
        at_pair(page, number)
        assert page.inner_text("#count") == f"{number + 1} of 5"
        watched(page)
        page.keyboard.press("0" if number == 4 else "1" if trial.left == "a" else "2")
    page.wait_for_selector("#vote[data-state=empty]")

    # The last one is taken back and answered otherwise.
    page.keyboard.press("z")
    at_pair(page, 4)
    watched(page)
    page.keyboard.press("1" if trials[4].left == "b" else "2")
    page.wait_for_selector("#vote[data-state=empty]")
    assert "Thank you" in page.inner_text("#empty") and errors == []

    served.send_signal(signal.SIGINT)
    said, complaints = served.communicate(timeout=60)
    assert served.returncode == 0 and "5 of 5 answered" in said
    assert "no attention checks" in complaints and "Traceback" not in complaints
    tally = json.loads(CliRunner().invoke(app, ["evaluate", "vote", "tally", str(tmp_path / "study"), "--json"]).stdout)
    assert (tally["a"], tally["b"], tally["same"]) == (4, 1, 0)
    assert all(one.seconds > 1.5 for one in Votes(tmp_path / "study").standing())
    page.context.close()


def test_a_reload_goes_on_and_a_lost_connection_loses_no_answer(chromium, served, tmp_path):
    page = chromium.new_context().new_page()
    page.goto(served.link)
    at_pair(page, 0)
    start(page)
    watched(page)
    lost = []

    def lose(route):
        """The server hears it; nobody hears the answer."""
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/api/votes", lose, times=1)
    page.keyboard.press("0")
    page.get_by_text("The server does not answer.").wait_for()
    page.keyboard.press("0")
    at_pair(page, 1)
    assert lost == [200] and len(Votes(tmp_path / "study").standing()) == 1
    page.reload()
    at_pair(page, 1)
    page.context.close()


@pytest.mark.parametrize("size", [(1280, 720), (820, 1180), (390, 800)], ids=["laptop", "tablet", "phone"])
def test_no_serious_fault_of_accessibility(chromium, served, size):
    state = None
    for scheme in ("light", "dark"):
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, storage_state=state
        )
        page = context.new_page()
        page.goto(served.link)
        if page.title() == "Clapboard":
            page.goto(served.link.partition("/enter")[0])
        at_pair(page, 0)
        page.wait_for_timeout(200)
        assert faults(page) == []
        start(page)
        watched(page)
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out sideways"
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "no need to scroll to answer"
        state = context.storage_state()
        context.close()


def faults(page):
    found = Axe().run(page).response["violations"]
    return [(one["id"], one["impact"]) for one in found if one["impact"] in SERIOUS]
