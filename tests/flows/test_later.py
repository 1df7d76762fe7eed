"""A schedule rests while hosts want to be left alone: real server, worker and schedule."""

from datetime import UTC, datetime, timedelta

import pytest

from curation.home.folder import Home
from curation.ledger.tables import SourceEntry, Video
from curation.outcomes import Outcome
from flows.later import TAG
from tests.operating import api_of, asked, deployments, flow_run
from tests.waiting import until


@pytest.fixture
def home(tmp_path) -> Home:
    """A home as a run left it that a host turned away for an hour (hosts of the loopback, which we could ask, are
    spared such treatment)."""
    home = Home(tmp_path / "home")
    with home.ledger() as ledger, ledger.session() as session:
        again = datetime.now(UTC) + timedelta(hours=1)
        walled = Video(id="v", link="https://example.org/v", local=False, fetch=Outcome.BOT_WALL, retry_at=again)
        session.add(walled)
        session.flush()
        session.add(
            SourceEntry(
                id="s", table_name="t", row=0, video_id="v", caption="", label="", licence="", outcome="ok", detail=""
            )
        )
    return home


def runs(url: str, **wanted: object) -> list[dict]:
    return asked(url, "/flow_runs/filter", flow_runs=wanted, sort="EXPECTED_START_TIME_ASC")


@pytest.fixture
def every_minute(running):
    """Makes a schedule of that kind; it is gone afterwards."""
    place = f"/deployments/{deployments(running.url)['curate']['id']}/schedules"
    with api_of(running.url) as api:
        before = {one["id"] for one in api.get(place).json()}

        def make(params: dict[str, object]) -> None:
            often = {"schedule": {"cron": "* * * * *", "timezone": "UTC"}, "active": True, "parameters": params}
            api.post(place, json=[often]).raise_for_status()

        yield make
        for one in api.get(place).json():
            if one["id"] not in before:
                api.delete(f"{place}/{one['id']}").raise_for_status()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_that_was_turned_away_is_gone_on_with_once_and_the_schedule_rests_until_then(home, running, every_minute):
    url, params = running.url, {"params": {"home": str(home.root)}}
    tagged = {"tags": {"all_": [TAG]}, "state": {"type": {"any_": ["SCHEDULED"]}}}
    curate = f"/deployments/{deployments(url)['curate']['id']}"

    def done(**more: object) -> dict:
        run = asked(url, f"{curate}/create_flow_run", parameters=params, **more)["id"]
        until(lambda: flow_run(url, run)["state_type"] == "COMPLETED", within_s=180)
        return flow_run(url, run)

    assert done()["state_name"] == "Completed" and not runs(url, **tagged), "by hand: nothing is left for later"
    done(tags=[TAG])
    (later,) = runs(url, **tagged)
    assert later["parameters"] == params
    due = datetime.fromisoformat(later["next_scheduled_start_time"]) - datetime.now(UTC)
    assert timedelta(minutes=50) < due < timedelta(minutes=61)

    every_minute(params)
    skipped = {"state": {"name": {"any_": ["Skipped"]}}}
    until(lambda: runs(url, **skipped), within_s=300)
    (first, *_) = runs(url, **skipped)
    assert first["auto_scheduled"] and "hosts turned us away; the run at " in first["state"]["message"]
    assert len(runs(url, **tagged)) == 1, "and leaves no other"
    with api_of(url) as api:
        api.delete(f"/flow_runs/{later['id']}").raise_for_status()
