"""The review page's door: who gets in, which sites may answer, and that no path leads out."""

import uuid

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from curation.ledger.tables import VerdictRow
from curation.review.security import BODY_CAP_BYTES

TOKEN = "a-token-of-this-test"
BASE = "http://127.0.0.1"
FIRST = "a" * 40


def answer():
    return {"clip_id": FIRST, "verdict": "accept", "key": str(uuid.uuid4())}


def answers(ledger):
    with ledger.session() as session:
        return session.scalar(select(func.count()).select_from(VerdictRow))


class TestTheDoor:
    @pytest.mark.parametrize(
        "path", ["/", "/api/next", "/numbers", f"/media/{FIRST}", "/static/review.js", "/openapi.json", "/nothing"]
    )
    def test_nothing_is_shown_without_a_session(self, stranger, path):
        response = stranger.get(path)
        assert response.status_code == 401
        assert "dog" not in response.text

    def test_an_answer_without_a_session_is_refused(self, stranger, review_ledger):
        assert (
            stranger.post("/api/answers", json=answer(), headers={"Sec-Fetch-Site": "same-origin"}).status_code == 401
        )
        assert answers(review_ledger) == 0

    def test_the_link_sets_a_strict_session_cookie_and_leads_to_a_clean_address(self, stranger):
        response = stranger.get("/enter", params={"token": TOKEN})
        assert (response.status_code, response.headers["location"]) == (303, "/")
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        assert stranger.get("/").status_code == 200

    def test_the_link_lets_only_one_browser_in(self, browser):
        other = TestClient(browser.app, base_url=BASE, follow_redirects=False)
        assert other.get("/enter", params={"token": TOKEN}).status_code == 401
        assert other.get("/").status_code == 401

    def test_opening_the_link_again_in_the_same_browser_leads_to_the_queue(self, browser):
        assert browser.get("/enter", params={"token": TOKEN}).status_code == 303

    @pytest.mark.parametrize("token", ["", "wrong", "é"])
    def test_a_wrong_token_neither_opens_nor_spends_the_link(self, stranger, token):
        assert stranger.get("/enter", params={"token": token}).status_code == 401
        assert stranger.get("/enter", params={"token": TOKEN}).status_code == 303

    def test_a_made_up_session_is_refused(self, stranger):
        stranger.cookies.set("clapboard_review_80", "guess")
        assert stranger.get("/").status_code == 401

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8420", "127.0.0.1.evil.example", ""])
    def test_another_host_name_is_refused(self, browser, host):
        assert browser.get("/", headers={"Host": host}).status_code == 400

    @pytest.mark.parametrize("path", ["/", "/enter", f"/media/{FIRST}", "/static/review.css"])
    def test_every_answer_carries_the_security_headers(self, stranger, path):
        headers = stranger.get(path).headers
        policy = headers["content-security-policy"]
        for rule in ("default-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert rule in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


class TestOtherSites:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": BASE},
            {"Origin": "http://127.0.0.1:3000"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
        ],
    )
    def test_another_site_cannot_answer(self, browser, review_ledger, headers):
        del browser.headers["Sec-Fetch-Site"]
        assert browser.post("/api/answers", json=answer(), headers=headers).status_code == 403
        assert answers(review_ledger) == 0

    def test_a_browser_that_names_only_its_origin_can_answer(self, browser):
        del browser.headers["Sec-Fetch-Site"]
        assert browser.post("/api/answers", json=answer(), headers={"Origin": BASE}).status_code == 200

    @pytest.mark.parametrize("token", [None, "", "guess", "é"])
    @pytest.mark.parametrize("path", ["/api/answers", "/api/undo", "/api/hold", "/api/let-go"])
    def test_nothing_is_written_without_the_page_s_token(self, browser, review_ledger, path, token):
        del browser.headers["X-Clapboard-Token"]
        headers = {} if token is None else {"X-Clapboard-Token": token.encode()}
        response = browser.post(path, json=answer(), headers=headers)
        assert (response.status_code, response.json()["remedy"]) == (403, "reload the page")
        assert answers(review_ledger) == 0

    def test_a_form_of_another_site_cannot_answer(self, browser, review_ledger):
        """What a browser sends without asking: a simple form, with our cookie if it were not strict."""
        del browser.headers["X-Clapboard-Token"]
        headers = {"Origin": "https://evil.example", "Content-Type": "text/plain", "Sec-Fetch-Site": "cross-site"}
        assert browser.post("/api/answers", content=b"{}", headers=headers).status_code == 403
        assert answers(review_ledger) == 0

    def test_a_large_body_is_refused_unread(self, browser):
        large = b" " * (BODY_CAP_BYTES + 1)
        assert browser.post("/api/answers", content=large).status_code == 413
        assert browser.post("/api/answers", content=iter([large])).status_code == 413

    @pytest.mark.parametrize("length", ["9" * 5000, "-1", "", "a"])
    def test_a_length_that_is_none_is_refused(self, browser, length):
        headers = {"Content-Length": length}
        assert browser.post("/api/answers", content=b"{}", headers=headers).status_code == 413


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "/media/..%2f..%2fledger.sqlite",
            "/media/%2e%2e/ledger.sqlite",
            "/media/%2Fetc%2Fpasswd",
            "/static/..%2fapp.py",
        ],
    )
    def test_no_path_leads_out(self, browser, path):
        assert browser.get(path).status_code == 404

    @pytest.mark.parametrize("late_us", ["9" * 30, "-99999999", "1e3", "x", "../"])
    def test_a_sound_is_moved_by_a_number_within_reach_only(self, browser, late_us):
        assert browser.get(f"/media/{FIRST}", params={"late_us": late_us}).status_code == 422
