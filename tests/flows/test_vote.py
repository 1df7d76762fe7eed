"""Voting: pairs are balanced and blind, votes are kept once, the tally is its closed forms, pages give nothing away."""

import json
import re
import uuid

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from curation.review.access import OneTimeLink
from curation.review.listening import Place
from flows.cli.app import app as cli
from flows.evaluation.voting.app import create_app
from flows.evaluation.voting.films import films_of, made_worse, truths_of
from flows.evaluation.voting.pairs import Kind, Maker, Trial, draw
from flows.evaluation.voting.serve import serve
from flows.evaluation.voting.study import open_study, read_plan
from flows.evaluation.voting.tally import tallied
from flows.evaluation.voting.votes import RECORD, Choice, Vote, Votes
from shards.errors import BadInput
from training.evaluate.films import ClipFormat, read_clips
from training.evaluate.statistics import mean_of
from training.world import FilmSpec, write_film
from training.world import draw as drawn_film

RUNNER = CliRunner()
TOKEN, BASE = "right", "http://127.0.0.1:8430"
NAMES = [f"film-{at}_clip-0" for at in range(8)]


def film(path, seed, *, static=False):
    spec = {"scene": "playing_drum", "duration_s": 1.0, "width_px": 64, "height_px": 64, "fps": 12}
    write_film(drawn_film(FilmSpec(seed=seed, static=static, **spec)), path)
    return path


@pytest.fixture(scope="module")
def makers(tmp_path_factory):
    """Films of two makers; the second one's are still."""
    place = tmp_path_factory.mktemp("makers")
    for seed, name in enumerate(NAMES):
        film(place / "good" / f"{name}.mp4", seed)
        film(place / "still" / f"{name}.mp4", seed, static=True)
    return place


@pytest.fixture(scope="module")
def evaluated(makers):
    """The first maker's films as an evaluation, which keeps true ones."""
    benchmark = ("--benchmark", "folder", "--data", makers / "good", "--fps", "12", "--seconds", "1", "--clips", "1")
    for name in NAMES:
        target = makers / "named" / f"{name}_clip-0.mp4"
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(makers / "good" / f"{name}.mp4")
    more = ("--size", "64", "--metrics", "offset_error_s", "--no-controls", "--out", makers / "evaluated")
    arguments = ["evaluate", makers / "named", *benchmark, *more]
    done = RUNNER.invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return makers / "evaluated"


def trials(voter="ada", *, seed=0, pairs=40, repeats=5, checks=5, clips=60, truths=6):
    named = [f"clip-{at}" for at in range(clips)], [f"true-{at}" for at in range(truths)]
    return draw(*named, voter=voter, seed=seed, pairs=pairs, repeats=repeats, checks=checks)


class TestDrawing:
    @given(
        pairs=st.integers(1, 50), repeats=st.integers(0, 60), checks=st.integers(0, 20), truths=st.integers(0, 6),
        voter=st.text(max_size=8), seed=st.integers(0, 5),
    )  # fmt: skip
    def test_it_is_balanced_and_complete(self, pairs, repeats, checks, truths, voter, seed):
        asked = trials(voter, seed=seed, pairs=pairs, repeats=repeats, checks=checks, truths=truths)
        first = [one for one in asked if one.kind is Kind.PAIR]
        again = [one for one in asked if one.kind is Kind.REPEAT]
        known = [one for one in asked if one.kind is Kind.CHECK]
        assert len({one.clip for one in first}) == len(first) == pairs
        assert abs(2 * sum(one.left is Maker.A for one in first) - pairs) <= 1
        assert len(again) == min(repeats, pairs // 2) and len(known) == min(checks, 2 * truths)
        assert abs(2 * sum(one.left is Maker.TRUTH for one in known) - len(known)) <= 1
        assert len({(one.clip, frozenset((one.left, one.right))) for one in known}) == len(known)
        for one in again:
            earlier = one.swapped(Kind.PAIR)
            assert asked.index(one) - asked.index(earlier) > 1, "never right behind the first"

    def test_it_follows_from_voter_and_seed_alone(self):
        assert trials() == trials()
        assert len({trials("ada"), trials("ben"), trials("ada", seed=1)}) == 3

    def test_place_and_clip_do_not_tell_the_side(self):
        """Over many voters A is on the left as often as not, whatever the clip, the place, or the answer before."""
        asked = [[one.left is Maker.A for one in trials(str(at), checks=0, repeats=0)] for at in range(400)]
        lefts = np.array(asked, float)
        assert np.abs(lefts.mean(axis=0) - 0.5).max() < 0.12
        assert abs(np.mean(lefts[:, 1:] == lefts[:, :-1]) - 0.5) < 0.03

    def test_both_kinds_of_checks_come(self):
        known = [one for one in trials(checks=4) if one.kind is Kind.CHECK]
        assert sorted(({one.left, one.right} - {Maker.TRUTH}).pop() for one in known) == [
            "late",
            "late",
            "still",
            "still",
        ]


def vote(number=0, choice=Choice.LEFT, *, voter="ada", clip="c", kind=Kind.PAIR, left=Maker.A, right=Maker.B, key=""):
    trial = Trial(kind, clip, left, right)
    return Vote(key or str(uuid.uuid4()), voter, number, trial, choice, 1.5)


class TestRecord:
    def test_an_answer_sent_twice_counts_once(self, tmp_path):
        votes, one = Votes(tmp_path), vote()
        votes.add(one)
        votes.add(one)
        assert votes.standing() == [one]
        assert len((tmp_path / RECORD).read_text().splitlines()) == 1

    def test_another_answer_to_the_same_pair_is_refused(self, tmp_path):
        votes = Votes(tmp_path)
        votes.add(vote())
        with pytest.raises(BadInput, match="has an answer already"):
            votes.add(vote(choice=Choice.RIGHT))
        votes.add(vote(voter="ben"))
        assert [one.choice for one in votes.standing()] == [Choice.LEFT, Choice.LEFT]

    def test_what_is_taken_back_stays_on_record_and_may_be_answered_anew(self, tmp_path):
        votes, again = Votes(tmp_path), vote(choice=Choice.SAME)
        votes.add(vote())
        votes.take_back("k", voter="ada", number=0)
        assert votes.standing() == []
        votes.add(again)
        votes.take_back("k", voter="ada", number=0)
        assert votes.standing() == [again], "taking back that is sent twice takes back once"
        assert len((tmp_path / RECORD).read_text().splitlines()) == 3

    def test_a_line_that_a_crash_left_half_swallows_nothing(self, tmp_path):
        votes = Votes(tmp_path)
        votes.add(vote(0))
        with (tmp_path / RECORD).open("a") as file:
            file.write('{"vote": "ha')
        votes.add(vote(1))
        assert [one.number for one in Votes(tmp_path).standing()] == [0, 1]


class TestTally:
    def test_win_rates_are_their_closed_forms(self):
        said = [Choice.LEFT] * 6 + [Choice.RIGHT] * 2 + [Choice.SAME] * 2
        found = tallied([vote(at, one, clip=f"v{at}_clip-0") for at, one in enumerate(said)])
        assert (found.a, found.b, found.same, found.clips) == (6, 2, 2, 10)
        z, n, p = 1.959963984540054, 8, 0.75
        middle, half = (
            (p + z * z / (2 * n)) / (1 + z * z / n),
            z / (1 + z * z / n) * (p * (1 - p) / n + (z / 2 / n) ** 2) ** 0.5,
        )
        assert found.win_rate.value == p
        assert (found.win_rate.low, found.win_rate.high) == pytest.approx((middle - half, middle + half))
        assert found.preference.value == pytest.approx(0.7)
        values, videos = [1.0] * 6 + [0.0] * 2 + [0.5] * 2, [f"v{at}" for at in range(10)]
        assert found.preference == mean_of(values, videos)

    def test_sides_are_turned_back(self):
        swapped = {"left": Maker.B, "right": Maker.A}
        found = tallied([vote(0, Choice.RIGHT, **swapped), vote(1, Choice.LEFT, clip="d", **swapped)])
        assert (found.a, found.b) == (1, 1)
        assert (found.voters[0].left, found.voters[0].sided) == (1, 2)

    def test_clips_of_a_video_and_answers_of_many_voters_are_no_more_witnesses(self):
        few = [vote(at, Choice.LEFT if at % 2 else Choice.RIGHT, clip=f"v{at}_clip-0") for at in range(6)]
        many = few + [vote(10 + at, one.choice, clip=f"v{at}_clip-1") for at, one in enumerate(few)]
        many += [vote(at, one.choice, clip=one.trial.clip, voter="ben") for at, one in enumerate(few)]
        assert tallied(many).win_rate_by_video == tallied(few).win_rate_by_video
        assert tallied(many).win_rate.high < tallied(few).win_rate.high, "Wilson's takes them for more"

    def test_repeats_and_checks_are_about_the_voter(self):
        check = {"kind": Kind.CHECK, "left": Maker.TRUTH, "right": Maker.STILL}
        votes = [
            vote(0, Choice.LEFT),
            vote(1, Choice.RIGHT, kind=Kind.REPEAT, left=Maker.B, right=Maker.A),
            vote(2, Choice.SAME, clip="d"),
            vote(3, Choice.LEFT, clip="d", kind=Kind.REPEAT, left=Maker.B, right=Maker.A),
            vote(4, Choice.LEFT, **check),
            vote(5, Choice.SAME, **check),
        ]
        [ada] = tallied(votes).voters
        assert (ada.pairs, ada.repeats, ada.repeats_same, ada.checks, ada.checks_right) == (2, 2, 1, 2, 1)
        assert ada.failed and tallied(votes).a == 1, "reported, and counted"
        without = tallied(votes, leave_out_failed=True)
        assert (without.a, without.same, without.left_out) == (0, 0, ("ada",))
        assert without.voters == tallied(votes).voters

    def test_what_could_not_be_played_counts_for_nothing(self):
        found = tallied([vote(0, Choice.UNSEEN), vote(1, Choice.LEFT, clip="d")])
        assert (found.unseen, found.a, found.same, found.voters[0].pairs) == (1, 1, 0, 1)

    @pytest.mark.parametrize(("second", "alpha"), [((1, 2, 1, 2), 1.0), ((2, 1, 2, 1), -0.75)])
    def test_agreement_of_voters(self, second, alpha):
        """Krippendorff 2011: 1 - D_o / D_e with D_e = 2 * 4 * 4 / (8 * 7) of eight values, half of them each."""
        choices = {1: Choice.LEFT, 2: Choice.RIGHT}
        both = {"ada": (1, 2, 1, 2), "ben": second}
        votes = [
            vote(at, choices[one], voter=name, clip=f"c{at}")
            for name, said in both.items()
            for at, one in enumerate(said)
        ]
        assert tallied(votes).agreement == pytest.approx(alpha)

    def test_of_nothing_there_is_nothing_to_say(self):
        found = tallied([])
        assert (found.a, found.agreement, found.voters) == (0, None, ())
        assert np.isnan(found.win_rate.value)


class TestStudy:
    def test_folders_and_evaluations_name_films_alike(self, makers, evaluated):
        assert list(films_of(makers / "good")) == NAMES
        assert films_of(evaluated).keys() == films_of(makers / "named").keys()
        assert len(truths_of(evaluated)) == 6 and truths_of(makers / "good") == {}

    def test_only_clips_with_sound_that_both_have(self, makers, tmp_path):
        for name in NAMES[:3]:
            (tmp_path / "some").mkdir(exist_ok=True)
            (tmp_path / "some" / f"{name}.mp4").write_bytes((makers / "good" / f"{name}.mp4").read_bytes())
        (tmp_path / "some" / f"{NAMES[1]}.mp4").write_bytes(b"no film")
        study = open_study(tmp_path / "some", makers / "still", tmp_path / "out")
        assert study.plan.clips == (NAMES[0], NAMES[2]) and study.left_out == (NAMES[1],)
        with pytest.raises(BadInput, match="no clip in common"):
            open_study(evaluated_elsewhere(tmp_path, makers), makers / "still", tmp_path / "other")

    def test_a_study_goes_on_as_it_began(self, makers, tmp_path):
        began = open_study(makers / "good", makers / "still", tmp_path, pairs=4, seed=7)
        assert open_study(makers / "good", makers / "still", tmp_path).plan == began.plan == read_plan(tmp_path)
        for films, more in (
            (("still", "good"), {}),
            (("good", "still"), {"pairs": 5}),
            (("good", "still"), {"seed": 1}),
        ):
            with pytest.raises(BadInput, match="has another"):
                open_study(*(makers / one for one in films), tmp_path, **more)

    def test_checks_are_the_truth_late_and_still(self, makers, tmp_path):
        made = made_worse("c", makers / "good" / f"{NAMES[0]}.mp4", tmp_path)
        cut = ClipFormat(frames=12, fps=12, size_px=(64, 64), per_video=1)
        [true], [late], [still] = (
            read_clips(made[one], cut, video_id="c") for one in (Maker.TRUTH, Maker.LATE, Maker.STILL)
        )
        moved = np.roll(true.waveform, cut.rate_hz // 2)
        assert np.corrcoef(moved[1600:-1600], late.waveform[1600:-1600])[0, 1] > 0.95
        assert np.corrcoef(true.waveform, still.waveform)[0, 1] > 0.99
        spread = [np.ptp(one.frames.astype(int), axis=0).max() for one in (true, late, still)]
        assert spread[0] > 50 and spread[1] > 50 and spread[2] < 12

    @pytest.mark.parametrize(
        ("place", "voter", "why"), [(Place("0.0.0.0"), "ada", "who they are"), (Place(), " ", "name")]
    )
    def test_it_is_served_on_this_machine_to_somebody(self, makers, tmp_path, place, voter, why):
        study = open_study(makers / "good", makers / "still", tmp_path)
        with pytest.raises(BadInput, match=why):
            serve(study, voter=voter, place=place, announce=print)


def evaluated_elsewhere(folder, makers):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "another.mp4").write_bytes((makers / "good" / f"{NAMES[0]}.mp4").read_bytes())
    return folder / "elsewhere"


@pytest.fixture
def browser(evaluated, makers, tmp_path):
    """A voter's browser before the page of a study of five pairs, a repeat and a check."""
    for name in NAMES:
        target = makers / "twin" / f"{name}_clip-0.mp4"
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            target.symlink_to(makers / "still" / f"{name}.mp4")
    study = open_study(evaluated, makers / "twin", tmp_path / "study", pairs=5)
    made = TestClient(create_app(study, access=OneTimeLink(TOKEN, "ada")), base_url=BASE, follow_redirects=False)
    assert made.get("/").status_code == 401
    assert made.get("/enter", params={"token": TOKEN}).status_code == 303
    made.headers["X-Clapboard-Token"] = re.search(r'name="form-token" content="([^"]+)"', made.get("/").text)[1]
    made.headers["Sec-Fetch-Site"] = "same-origin"
    made.study = study
    return made


def say(browser, choice="left", *, number=None, key=""):
    number = browser.get("/api/state").json()["pair"]["number"] if number is None else number
    body = {"key": key or str(uuid.uuid4()), "number": number, "choice": choice, "seconds": 2.0}
    return browser.post("/api/votes", json=body)


class TestPage:
    def test_all_pairs_are_asked_and_nothing_tells_whose_films_they_are(self, browser):
        page, told, ids = browser.get("/").text, [], []
        for number in range(7):
            state = browser.get("/api/state").json()
            assert (state["done"], state["total"], state["pair"]["number"]) == (number, 7, number)
            assert state.keys() == {"done", "total", "pair", "following"}
            assert state["pair"].keys() == {"number", "left", "right"}
            told.append(json.dumps(state))
            for side in ("left", "right"):
                film = browser.get(state["pair"][side])
                assert film.status_code == 200 and film.headers["content-type"] == "video/mp4"
                assert film.headers["last-modified"].endswith("1970 00:00:00 GMT")
                assert film.headers["etag"].strip('"') == state["pair"][side].removeprefix("/media/")
                ids.append(film.headers["etag"])
            told.append(say(browser).text)
        assert browser.get("/api/state").json()["pair"] is None
        assert len(set(ids)) == 14
        for word in ("good", "twin", "still", "truth", "film-", "clip", "repeat", "check"):
            assert word not in " ".join(told), word
        for word in ("good", "twin", "truth", "film-", *browser.study.plan.clips):
            assert word not in page, word

    def test_each_side_is_the_film_that_was_drawn(self, browser):
        for number, trial in enumerate(browser.study.plan.trials("ada")):
            pair = browser.get("/api/state").json()["pair"]
            for side, maker in (("left", trial.left), ("right", trial.right)):
                assert browser.get(pair[side]).content == browser.study.film(maker, trial.clip).read_bytes()
            say(browser, number=number)
        kept = browser.study.votes.standing()
        assert [one.trial for one in kept] == list(browser.study.plan.trials("ada"))

    def test_an_answer_sent_twice_counts_once_and_another_is_refused(self, browser):
        key = str(uuid.uuid4())
        assert say(browser, number=0, key=key).json() == say(browser, number=0, key=key).json()
        refused = say(browser, "right", number=0)
        assert refused.status_code == 409 and "has an answer already" in refused.json()["error"]
        assert say(browser, number=99).status_code == 409
        assert say(browser, "best").status_code == 422

    def test_the_last_answer_can_be_taken_back(self, browser):
        say(browser)
        say(browser)
        taken = browser.post("/api/undo", json={"key": str(uuid.uuid4()), "number": 1}).json()
        assert (taken["done"], taken["pair"]["number"]) == (1, 1)

    def test_a_voter_goes_on_after_a_restart(self, browser, evaluated, makers):
        say(browser)
        again = open_study(evaluated, makers / "twin", browser.study.folder)
        anew = TestClient(create_app(again, access=OneTimeLink(TOKEN, "ada")), base_url=BASE)
        anew.get("/enter", params={"token": TOKEN})
        before, after = (one.get("/api/state").json() for one in (browser, anew))
        assert after["pair"]["number"] == before["pair"]["number"] == 1
        assert after["pair"]["left"] != before["pair"]["left"], "ids of another day"

    def test_the_door_is_the_review_page_s(self, browser):
        assert browser.get("/", headers={"host": "evil.example"}).status_code == 400
        assert browser.post("/api/votes", json={}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert browser.get("/media/" + "0" * 32).status_code == 404
        assert browser.get("/media/..%2fstudy.json").status_code in (404, 422)
        assert "default-src 'self'" in browser.get("/").headers["content-security-policy"]

    def test_it_asks_nothing_of_other_hosts_and_what_it_refers_to_is_there(self, browser):
        text = browser.get("/").text
        assert not re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=\"", text)
        for asset in {*re.findall(r'(?:src|href)="(/[^"]*)"', text), "/static/http.js", "/static/page.js"}:
            assert browser.get(asset).status_code == 200, asset


class TestCommand:
    def tally(self, *arguments):
        return RUNNER.invoke(cli, ["evaluate", "vote", "tally", *map(str, arguments)])

    def test_it_prints_what_was_said(self, browser):
        for trial in browser.study.plan.trials("ada"):
            say(browser, "left" if trial.left in (Maker.A, Maker.TRUTH) else "right")
        said = json.loads(self.tally(browser.study.folder, "--json").stdout)
        assert (said["a"], said["b"], said["same"], said["win_rate"]["value"]) == (5, 0, 0, 1.0)
        [ada] = said["voters"]
        assert (ada["repeats_same"], ada["checks_right"], ada["failed"]) == (1, 1, False)
        table = self.tally(browser.study.folder).stdout
        assert "prefer A: evaluated\t5\t100 %" in table and "prefer B: twin\t0\t0 %" in table
        assert "ada\t5\t1 of 1\t1 of 1" in table

    def test_a_folder_without_a_study_is_named(self, tmp_path):
        done = self.tally(tmp_path)
        assert isinstance(done.exception, BadInput) and "holds no study" in str(done.exception)
