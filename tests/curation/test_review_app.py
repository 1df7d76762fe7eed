"""The review page over HTTP: its pages, what an answer does, and how clips are served."""

import re
import threading
import uuid

import av
import pytest
from sqlalchemy import select

from curation.ledger.tables import VerdictRow
from curation.review.queue import claim

FIRST, SECOND = "a" * 40, "b" * 40


def answer(clip_id=FIRST, verdict="accept", **more):
    return {"clip_id": clip_id, "verdict": verdict, "key": str(uuid.uuid4())} | more


def rows(ledger):
    with ledger.session() as session:
        found = session.scalars(select(VerdictRow).order_by(VerdictRow.id))
        return [(row.clip_id, row.verdict, row.reason, row.reviewer) for row in found]


def desk(browser, count=2):
    return browser.get("/api/next", params={"count": count}).json()


class TestPages:
    @pytest.mark.parametrize("path", ["/", "/numbers"])
    def test_they_ask_nothing_of_other_hosts_and_hold_no_inline_code(self, browser, path):
        text = browser.get(path).text
        assert not re.findall(r'(?:src|srcset|action)="(?:https?:)?//', text)
        assert not re.findall(r"<link[^>]+https?:", text)
        assert not re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=\"", text)

    @pytest.mark.parametrize("path", ["/", "/numbers"])
    def test_what_they_refer_to_is_there(self, browser, path):
        for asset in set(re.findall(r'(?:src|href)="(/[^"]*)"', browser.get(path).text)):
            assert browser.get(asset).status_code == 200

    def test_scripts_import_only_what_is_there(self, browser):
        found, known = ["review.js", "sign-in.js"], set()
        while found:
            known.add(name := found.pop())
            script = browser.get(f"/static/{name}")
            assert script.status_code == 200, name
            found += set(re.findall(r'from "\./([^"]+)"', script.text)) - known
        assert {"clip.js", "leases.js", "timeline.js"} <= known

    def test_the_numbers_name_reviewers_as_text_only(self, browser, review_ledger):
        browser.post("/api/answers", json=answer())
        with review_ledger.session() as session:
            session.scalars(select(VerdictRow)).one().reviewer = "<b>ada</b>"
        text = browser.get("/numbers").text
        assert "<b>ada</b>" not in text and "&lt;b&gt;ada&lt;/b&gt;" in text


class TestTheDesk:
    def test_it_holds_the_most_uncertain_clip_first_and_says_why_it_was_flagged(self, browser):
        found = desk(browser)
        first, second = found["clips"]
        assert (first["clip_id"], second["clip_id"]) == (FIRST, SECOND)
        assert first["why"] == ["Sound and motion agree, but not surely."]
        assert first["timing"] == "Sound leads picture by 120 ms."
        assert (found["progress"]["waiting"], found["progress"]["enough"]) == (2, "")

    def test_it_says_where_the_sound_was_heard_if_that_is_likely_enough(self, browser):
        first, second = desk(browser)["clips"]
        assert first["where"] is None
        assert second["where"] == {"x": 0.5, "y": 0.25, "side": 0.25, "sure": True}
        assert {"name": "Heard at", "value": "middle"} in second["measures"]

    def test_only_web_addresses_are_links(self, browser):
        first, second = desk(browser)["clips"]
        assert (first["link"], first["source"]) == ("", "javascript:alert(1)")
        assert second["link"] == second["source"] == 'https://example.org/v?a=1&b="2"'

    def test_a_clip_stays_held_until_it_is_let_go(self, browser):
        desk(browser)
        assert browser.post("/api/hold", json={"clip_ids": [FIRST, "other"]}).json() == {"held": [FIRST]}
        assert browser.post("/api/let-go", json={}).json() == {"held": []}
        assert browser.post("/api/hold", json={"clip_ids": [FIRST]}).json() == {"held": []}

    def test_labels_are_those_of_sources_and_of_reviewers(self, browser):
        browser.post("/api/answers", json=answer(label="wolf"))
        assert browser.get("/api/labels").json() == ["dog", "wolf"]

    def test_an_empty_queue_says_that_nothing_waits(self, browser):
        browser.post("/api/answers", json=answer(FIRST))
        done = browser.post("/api/answers", json=answer(SECOND, "reject", reason="meaning")).json()["progress"]
        assert (done["waiting"], done["accepted"], done["rejected"]) == (0, 1, 1)
        assert done["enough"] == "Nothing waits for an answer."
        assert desk(browser)["clips"] == []


class TestAnswers:
    def test_an_answer_is_one_row_and_brings_the_next_clip(self, browser, review_ledger):
        assert browser.post("/api/answers", json=answer()).status_code == 200
        assert [one["clip_id"] for one in desk(browser)["clips"]] == [SECOND]
        assert rows(review_ledger) == [(FIRST, "accept", "", "ada")]

    def test_an_undone_answer_comes_back_with_its_edits(self, browser, review_ledger):
        given = answer(label="cat", parts=[[500_000, 900_000], [900_000, 2_000_000]], sound_late_us=-20_000)
        browser.post("/api/answers", json=given)
        undone = browser.post("/api/undo", json={"key": str(uuid.uuid4())}).json()
        assert undone["clip"]["clip_id"] == FIRST
        edits = {name: given.get(name) for name in ("label", "caption", "parts", "sound_late_us")}
        assert undone["clip"]["edits"] == edits
        assert [row[1] for row in rows(review_ledger)] == ["accept", "undo"]
        assert undone["progress"]["waiting"] == 2

    def test_without_an_answer_there_is_nothing_to_undo(self, browser):
        assert browser.post("/api/undo", json={"key": str(uuid.uuid4())}).json()["clip"] is None

    def test_the_same_key_at_the_same_time_is_one_row(self, browser, review_ledger):
        once = answer()
        threads = [
            threading.Thread(target=browser.post, args=("/api/answers",), kwargs={"json": once}) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(rows(review_ledger)) == 1

    def test_a_key_cannot_be_used_for_another_answer(self, browser, review_ledger):
        key = str(uuid.uuid4())
        browser.post("/api/answers", json=answer(key=key))
        assert browser.post("/api/answers", json=answer(SECOND, key=key)).status_code == 409
        assert len(rows(review_ledger)) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"verdict": "reject"},
            {"verdict": "reject", "reason": "because"},
            {"reason": "meaning"},
            {"verdict": "perhaps"},
            {"verdict": "undo"},
            {"key": "not-a-uuid"},
            {"reviewer": "somebody else"},
            {"label": "x" * 401},
            {"parts": []},
            {"parts": [[1, 2]] * 9},
            {"parts": [[1, 2, 3]]},
            {"sound_late_us": 10_000_000},
            {"seconds": -1},
            {"seconds": "long"},
        ],
    )
    def test_an_answer_that_is_none_is_refused_with_a_remedy(self, browser, review_ledger, change):
        response = browser.post("/api/answers", json=answer() | change)
        assert response.status_code == 422
        assert response.json()["remedy"]
        assert rows(review_ledger) == []

    def test_an_answer_on_a_clip_that_went_to_somebody_else_is_refused_in_a_way_the_page_knows(
        self, browser, review_ledger, review_settings
    ):
        claim(review_ledger, "ada", review_settings, now_ms=1)
        assert claim(review_ledger, "ben", review_settings) == [FIRST]
        refused = browser.post("/api/answers", json=answer())
        assert refused.status_code == 409
        assert refused.json() == {
            "error": "another reviewer has this clip now",
            "remedy": "Your answer was not needed; go on with the next clip",
            "kind": "not_yours",
        }
        assert browser.post("/api/hold", json={"clip_ids": [FIRST]}).json() == {"held": []}
        assert rows(review_ledger) == []

    def test_parts_outside_of_the_clip_are_refused(self, browser, review_ledger):
        assert browser.post("/api/answers", json=answer(parts=[[0, 900_000]])).status_code == 409
        assert rows(review_ledger) == []

    def test_an_answer_on_an_unknown_clip_is_not_found(self, browser, review_ledger):
        assert browser.post("/api/answers", json=answer("c" * 40)).status_code == 404
        assert rows(review_ledger) == []


class TestMedia:
    def test_a_clip_is_served_whole_and_only_for_this_browser(self, browser, tmp_path):
        response = browser.get(f"/media/{FIRST}")
        assert (response.status_code, response.headers["content-type"]) == (200, "video/mp4")
        assert response.headers["cache-control"].startswith("private")
        (tmp_path / "got.mp4").write_bytes(response.content)
        with av.open(str(tmp_path / "got.mp4")) as clip:
            assert clip.duration / 1e6 == pytest.approx(2, abs=0.1)

    def test_a_range_is_answered_with_that_part(self, browser):
        whole = browser.get(f"/media/{FIRST}").content
        response = browser.get(f"/media/{FIRST}", headers={"Range": "bytes=10-19"})
        assert response.status_code == 206
        assert response.headers["content-range"] == f"bytes 10-19/{len(whole)}"
        assert response.content == whole[10:20]

    def test_a_range_behind_the_end_is_refused(self, browser):
        assert browser.get(f"/media/{FIRST}", headers={"Range": "bytes=999999999-"}).status_code == 416

    @pytest.mark.parametrize("clip_id", ["unknown", SECOND])
    def test_an_unknown_clip_and_one_without_media_are_not_found(self, browser, clip_id):
        assert browser.get(f"/media/{clip_id}").status_code == 404
        assert browser.get(f"/api/clips/{clip_id}/curves").status_code == 404
