"""The review page over HTTP: what it shows, what an answer does, and how a clip is served."""

import re
import threading
import uuid

import pytest
from sqlalchemy import select

from curation.ledger.tables import VerdictRow

HERE = {"Sec-Fetch-Site": "same-origin"}
FIRST, SECOND = "a" * 40, "b" * 40


def answer(clip_id=FIRST, verdict="accept", reason=None, key=None):
    return {"clip_id": clip_id, "verdict": verdict, "reason": reason, "key": key or str(uuid.uuid4())}


def shown(response):
    return re.search(r'data-clip="(\w*)"', response.text)[1]


def rows(ledger):
    with ledger.session() as session:
        found = session.scalars(select(VerdictRow).order_by(VerdictRow.id))
        return [(row.clip_id, row.verdict, row.reason, row.reviewer) for row in found]


class TestThePage:
    def test_it_shows_the_most_uncertain_clip_and_why_it_was_flagged(self, browser):
        page = browser.get("/")
        assert shown(page) == FIRST
        assert "Sound and motion agree, but not surely." in page.text
        assert "sound is 120 ms early" in page.text
        assert "<b>2</b> wait" in page.text

    def test_hostile_captions_and_links_are_only_text(self, browser):
        text = browser.get("/").text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;alert(&#34;x&#34;)" in text
        assert 'href="javascript:' not in text

    def test_a_source_link_tells_its_target_nothing(self, browser):
        text = browser.get(f"/desk/{SECOND}").text
        assert 'href="https://example.org/v?a=1&amp;b=&#34;2&#34;"' in text
        assert 'rel="noopener noreferrer nofollow"' in text

    def test_it_asks_nothing_of_other_hosts_and_holds_no_inline_code(self, browser):
        text = browser.get("/").text
        assert not re.findall(r'(?:src|srcset|action)="(?:https?:)?//', text)
        assert not re.findall(r"<link[^>]+https?:", text)
        assert not re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=\"", text)

    def test_what_it_refers_to_is_there(self, browser):
        for path in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', browser.get("/").text)):
            assert browser.get(path).status_code == 200

    def test_an_empty_queue_says_what_was_done_and_how_to_publish(self, browser):
        browser.post("/verdict", json=answer(FIRST), headers=HERE)
        done = browser.post("/verdict", json=answer(SECOND, "reject", "meaning"), headers=HERE)
        assert shown(done) == ""
        assert "<b>1</b> accepted, <b>1</b> rejected" in done.text
        assert "clapboard publish" in done.text

    def test_an_unknown_clip_is_not_found(self, browser):
        assert browser.get("/desk/nothing").status_code == 404


class TestAnswers:
    def test_an_answer_is_one_row_and_brings_the_next_clip(self, browser, review_ledger):
        response = browser.post("/verdict", json=answer(), headers=HERE)
        assert (response.status_code, shown(response)) == (200, SECOND)
        assert rows(review_ledger) == [(FIRST, "accept", "", "ada")]

    def test_a_second_thought_adds_a_row_and_counts(self, browser, review_ledger):
        browser.post("/verdict", json=answer(), headers=HERE)
        again = browser.get(f"/desk/{FIRST}")
        assert "Accepted by <bdi>ada</bdi>" in again.text
        browser.post("/verdict", json=answer(FIRST, "reject", "camera_motion"), headers=HERE)
        assert rows(review_ledger) == [(FIRST, "accept", "", "ada"), (FIRST, "reject", "camera_motion", "ada")]
        assert "Rejected by <bdi>ada</bdi>: camera moves." in browser.get(f"/desk/{FIRST}").text

    def test_the_page_names_the_clip_to_go_back_to(self, browser):
        assert f'data-before="{FIRST}"' in browser.post("/verdict", json=answer(), headers=HERE).text

    def test_the_same_key_twice_is_one_row(self, browser, review_ledger):
        once = answer()
        assert [browser.post("/verdict", json=once, headers=HERE).status_code for _ in range(2)] == [200, 200]
        assert len(rows(review_ledger)) == 1

    def test_the_same_key_at_the_same_time_is_one_row(self, browser, review_ledger):
        once = answer()
        threads = [
            threading.Thread(target=browser.post, args=("/verdict",), kwargs={"json": once, "headers": HERE})
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(rows(review_ledger)) == 1

    def test_a_key_cannot_be_used_for_another_answer(self, browser, review_ledger):
        key = str(uuid.uuid4())
        browser.post("/verdict", json=answer(key=key), headers=HERE)
        assert browser.post("/verdict", json=answer(SECOND, key=key), headers=HERE).status_code == 409
        assert len(rows(review_ledger)) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"verdict": "reject"},
            {"verdict": "reject", "reason": "because"},
            {"reason": "meaning"},
            {"verdict": "perhaps"},
            {"key": "not-a-uuid"},
            {"reviewer": "somebody else"},
        ],
    )
    def test_an_answer_that_is_none_is_refused_with_a_remedy(self, browser, review_ledger, change):
        response = browser.post("/verdict", json=answer() | change, headers=HERE)
        assert response.status_code == 422
        assert response.json()["remedy"]
        assert rows(review_ledger) == []

    def test_an_answer_on_an_unknown_clip_is_not_found(self, browser, review_ledger):
        assert browser.post("/verdict", json=answer("c" * 40), headers=HERE).status_code == 404
        assert rows(review_ledger) == []


class TestMedia:
    def test_a_clip_is_served_whole_and_only_for_this_browser(self, browser, film):
        response = browser.get(f"/media/{FIRST}")
        assert (response.status_code, response.headers["content-type"]) == (200, "video/mp4")
        assert response.content == film.read_bytes()
        assert response.headers["cache-control"].startswith("private")

    def test_a_range_is_answered_with_that_part(self, browser, film):
        response = browser.get(f"/media/{FIRST}", headers={"Range": "bytes=10-19"})
        assert response.status_code == 206
        assert response.headers["content-range"] == f"bytes 10-19/{film.stat().st_size}"
        assert response.content == film.read_bytes()[10:20]

    def test_a_range_behind_the_end_is_refused(self, browser):
        assert browser.get(f"/media/{FIRST}", headers={"Range": "bytes=999999999-"}).status_code == 416

    @pytest.mark.parametrize("clip_id", ["unknown", SECOND])
    def test_an_unknown_clip_and_one_without_media_are_not_found(self, browser, clip_id):
        assert browser.get(f"/media/{clip_id}").status_code == 404
