"""Accounts, guessed passwords, sessions that end, and a proxy that says who somebody is."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from starlette.testclient import TestClient

from curation.ledger.tables import ReviewerRow
from curation.review.access import (
    FREE_TRIES,
    RECHECK_S,
    Accounts,
    TooManyTries,
    TrustedProxy,
    account_names,
    add_account,
    remove_account,
)
from curation.review.app import create_app
from curation.review.sessions import IDLE_S, LIFETIME_S, Sessions
from shards.errors import BadInput

HERE = {"Sec-Fetch-Site": "same-origin"}
RIGHT = "correct horse battery"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def team(review_ledger, media, review_settings, clock):
    """A browser before the page of a team with one account."""
    add_account(review_ledger, "ada", RIGHT)
    app = create_app(
        review_ledger, media=media, access=Accounts(review_ledger, clock), settings=review_settings, hosts=("*",)
    )
    return TestClient(app, base_url="http://reviews.example", follow_redirects=False)


def sign_in(browser, name="ada", password=RIGHT):
    return browser.post("/sign-in", json={"name": name, "password": password}, headers=HERE)


def test_a_stranger_is_led_to_the_page_where_one_signs_in(team):
    led = team.get("/", headers={"Accept": "text/html"})
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in")
    assert team.get("/sign-in").status_code == team.get("/static/review.css").status_code == 200
    for path in ("/api/next", "/numbers", "/media/x", "/openapi.json"):
        assert team.get(path).status_code == 401


def test_the_right_password_opens_and_signing_out_closes(team):
    response = sign_in(team)
    assert response.status_code == 204
    assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in response.headers["set-cookie"].split(";")}
    page = team.get("/").text
    assert 'name="reviewer" content="ada"' in page
    token = page.split('name="form-token" content="')[1].split('"')[0]
    assert team.post("/sign-out", json={}, headers=HERE).status_code == 403, "not without the page's token"
    assert team.post("/sign-out", json={}, headers=HERE | {"X-Clapboard-Token": token}).status_code == 204
    assert team.get("/api/next").status_code == 401


def test_the_cookie_is_for_https_only_where_there_is_https(team):
    assert "Secure" not in sign_in(team).headers["set-cookie"]
    team.base_url = "https://reviews.example"
    assert "Secure" in sign_in(team).headers["set-cookie"]


def test_the_cookie_is_for_https_only_where_a_proxy_speaks_https_for_us(team):
    team.headers["X-Forwarded-Proto"] = "https"
    assert "Secure" in sign_in(team).headers["set-cookie"]


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", "wrong"), ("ada", ""), ("ben", RIGHT), ("", ""), ("x" * 150, RIGHT), ("a' OR 1=1", "x")],
)
def test_anything_else_does_not(team, name, password):
    assert sign_in(team, name, password).status_code == 401
    assert team.get("/api/next").status_code == 401


def test_guessing_gets_slower_for_the_name_and_for_the_client(team, clock):
    for _ in range(FREE_TRIES):
        assert sign_in(team, password="guess").status_code == 401
    refused = sign_in(team)
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
    assert sign_in(team, "ben", "guess").status_code == 429, "another name from the same client"
    clock.now += 2
    assert sign_in(team).status_code == 204
    assert sign_in(team, password="guess").status_code == 401, "the right one wiped the slate"


def test_guesses_that_come_at_once_are_counted_like_guesses_in_turn(review_ledger, clock):
    add_account(review_ledger, "ada", RIGHT)
    # Patient, since a busy machine may take long for a hash; that is the next test's matter.
    accounts, together = Accounts(review_ledger, clock, patience_s=120), Barrier(20)

    def guess(number):
        together.wait()
        try:
            return accounts.sign_in("ada", f"guess {number}", client="c")
        except TooManyTries:
            return "refused"

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(guess, range(20)))
    assert found.count(None) == FREE_TRIES and found.count("refused") == 20 - FREE_TRIES


def test_guesses_under_many_names_do_not_fill_the_machine(review_ledger, clock):
    accounts, together = Accounts(review_ledger, clock, hashes_at_once=1, patience_s=0), Barrier(8)

    def guess(number):
        together.wait()
        try:
            return accounts.sign_in(f"name {number}", "guess", client=f"c{number}")
        except TooManyTries as refused:
            return refused.wait_s

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(guess, range(8)))
    assert found.count(1) >= 4, "who finds no free place is told to come again"
    assert accounts.sign_in("somebody", "guess", client="d") is None, "and the places are given back"


def test_who_found_no_place_is_not_counted_as_having_guessed(review_ledger, clock):
    """Somebody who guesses under many names shall not lock out those who know their password."""
    add_account(review_ledger, "ada", RIGHT)
    accounts = Accounts(review_ledger, clock, hashes_at_once=1, patience_s=0)
    with accounts._places:
        for _ in range(FREE_TRIES + 3):
            with pytest.raises(TooManyTries) as refused:
                accounts.sign_in("ada", RIGHT, client="c")
            assert refused.value.wait_s == 1
    assert accounts.sign_in("ada", RIGHT, client="c")


def test_guesses_from_one_network_of_ipv6_are_counted_together(review_ledger, clock):
    accounts = Accounts(review_ledger, clock)
    for number in range(FREE_TRIES):
        assert accounts.sign_in(f"name {number}", "guess", client=f"2001:db8:1:2::{number}") is None
    with pytest.raises(TooManyTries):
        accounts.sign_in("another", "guess", client="2001:db8:1:2:ffff::1")
    assert accounts.sign_in("another", "guess", client="2001:db8:1:3::1") is None


def test_waiting_times_double_but_have_an_end(review_ledger, clock):
    accounts, waits = Accounts(review_ledger, clock), []
    for _ in range(FREE_TRIES + 12):
        try:
            accounts.sign_in("eve", "guess", client="c")
        except TooManyTries as refused:
            waits.append(refused.wait_s)
            clock.now += refused.wait_s
            accounts.sign_in("eve", "guess", client="c")
    assert waits[:4] == [1, 2, 4, 8] and max(waits) == 300


def test_another_site_cannot_sign_somebody_in(team):
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert team.post("/sign-in", json={"name": "ada", "password": RIGHT}, headers=headers).status_code == 403


def test_a_session_that_rests_ends(clock):
    sessions = Sessions(clock)
    secret = sessions.open("ada")
    clock.now += IDLE_S - 1
    assert sessions.find(secret).reviewer == "ada"
    clock.now += IDLE_S
    assert sessions.find(secret) is None and sessions.find("guess") is None


def test_a_session_ends_in_the_end_however_busy_it_is(clock):
    sessions = Sessions(clock)
    secret = sessions.open("ada")
    while clock.now < LIFETIME_S - IDLE_S:
        clock.now += IDLE_S - 1
        assert sessions.find(secret)
    clock.now = LIFETIME_S
    assert sessions.find(secret) is None


@pytest.mark.parametrize("change", ["removed", "new password", "the same password anew"])
def test_who_loses_the_account_or_the_password_is_out_within_seconds(team, review_ledger, clock, change):
    sign_in(team)
    assert team.get("/api/progress").status_code == 200
    if change == "removed":
        remove_account(review_ledger, "ada")
    else:
        add_account(review_ledger, "ada", RIGHT if change == "the same password anew" else "another long one")
    clock.now += RECHECK_S
    assert team.get("/api/progress").status_code == 401
    assert team.get("/api/progress").status_code == 401, "and stays out"


def test_a_new_password_of_another_account_ends_nothing(team, review_ledger, clock):
    sign_in(team)
    add_account(review_ledger, "ben", "another long one")
    clock.now += RECHECK_S
    assert team.get("/api/progress").status_code == 200


def test_passwords_are_kept_as_argon2_hashes_and_never_as_they_are(review_ledger):
    add_account(review_ledger, "ada", RIGHT)
    with review_ledger.session() as session:
        kept = session.get_one(ReviewerRow, "ada").password
    assert kept.startswith("$argon2id$") and RIGHT not in kept


@pytest.mark.parametrize(
    ("name", "password"), [("", RIGHT), (" ada", RIGHT), ("a\nb", RIGHT), ("ada", "short"), ("x" * 65, RIGHT)]
)
def test_names_and_passwords_that_are_none_are_refused(review_ledger, name, password):
    with pytest.raises(BadInput):
        add_account(review_ledger, name, password)
    assert account_names(review_ledger) == []


def test_an_account_can_be_removed_and_its_password_changed(review_ledger, clock):
    add_account(review_ledger, "ada", RIGHT)
    add_account(review_ledger, "ada", "another long one")
    accounts = Accounts(review_ledger, clock)
    assert accounts.sign_in("ada", RIGHT, client="c") is None
    assert accounts.sign_in("ada", "another long one", client="c")
    remove_account(review_ledger, "ada")
    assert account_names(review_ledger) == []
    with pytest.raises(BadInput, match="no account"):
        remove_account(review_ledger, "ada")


SECRET = "shared with the proxy alone"


class TestProxy:
    def open(self, review_ledger, media, client="10.0.0.2", base="http://reviews.example"):
        access = TrustedProxy("X-User", ("10.0.0.0/24",), secret=SECRET)
        app = create_app(review_ledger, media=media, access=access, hosts=("reviews.example",), addresses=True)
        headers = {"X-Clapboard-Proxy-Secret": SECRET}
        return TestClient(app, base_url=base, client=(client, 5000), follow_redirects=False, headers=headers)

    def test_who_the_proxy_names_is_in(self, review_ledger, media):
        browser = self.open(review_ledger, media)
        page = browser.get("/", headers={"X-User": "ada"})
        assert page.status_code == 200 and 'content="ada"' in page.text

    @pytest.mark.parametrize("secret", [None, "", SECRET[:-1], SECRET + "x", "é" * 30])
    def test_nobody_is_believed_who_does_not_show_the_secret(self, review_ledger, media, secret):
        browser = self.open(review_ledger, media)
        del browser.headers["X-Clapboard-Proxy-Secret"]
        shown = {} if secret is None else {"X-Clapboard-Proxy-Secret": secret.encode()}
        for path in ("/", "/api/next", "/openapi.json"):
            assert browser.get(path, headers={"X-User": "ada"} | shown).status_code == 401

    def test_a_word_beside_the_proxy_s_own_is_no_word(self, review_ledger, media):
        browser = self.open(review_ledger, media)
        said = [("X-User", "ada"), ("X-Clapboard-Proxy-Secret", SECRET)]
        for twice in said:
            assert browser.get("/", headers=[*said, twice]).status_code == 401
        assert browser.get("/", headers=said).status_code == 200

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.0.0.5.evil.example", "a@reviews.example"])
    def test_a_page_whose_name_was_made_to_lead_here_is_refused(self, review_ledger, media, host):
        """DNS rebinding: its own script sets the header, and its browser sits where the proxy does."""
        browser = self.open(review_ledger, media)
        refused = browser.get("/", headers={"X-User": "ada", "Host": host})
        assert refused.status_code == 400 and "--name" in refused.json()["remedy"] and "evil" not in refused.text

    @pytest.mark.parametrize("host", ["REVIEWS.example", "reviews.example.:443", "10.0.0.5:8420", "[2001:db8::5]:8420"])
    def test_its_own_name_and_addresses_are_known(self, review_ledger, media, host):
        browser = self.open(review_ledger, media)
        assert browser.get("/", headers={"X-User": "ada", "Host": host}).status_code == 200

    @pytest.mark.parametrize(
        ("client", "headers"),
        [
            ("10.0.0.2", {}),
            ("10.0.0.2", {"X-User": ""}),
            ("10.0.1.2", {"X-User": "ada"}),
            ("nowhere", {"X-User": "ada"}),
        ],
    )
    def test_nobody_else_is(self, review_ledger, media, client, headers):
        assert self.open(review_ledger, media, client).get("/", headers=headers).status_code == 401

    def test_a_proxy_is_named_by_its_address(self):
        with pytest.raises(BadInput, match="no address of a proxy"):
            TrustedProxy("X-User", ("example.org",), secret=SECRET)

    @pytest.mark.parametrize("secret", ["", "short", "é" * 20, "with\ncontrol characters"])
    def test_without_a_secret_that_is_one_there_is_no_proxy(self, secret):
        with pytest.raises(BadInput, match="shows a secret") as caught:
            TrustedProxy("X-User", ("10.0.0.2",), secret=secret)
        assert "CLAPBOARD_PROXY_SECRET" in caught.value.remedy
