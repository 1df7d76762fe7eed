"""What came of what, as Prefect's server is told of it."""

from prefect import flow

from curation.home.folder import Home
from flows.lineage import LONGEST, asset_key, tell_made
from flows.server import prefect_server, send_what_waits
from tests.operating import asked
from tests.waiting import until

MADE = "prefect.asset.materialization.succeeded"


def test_a_snapshot_and_what_was_made_of_it_are_assets_with_their_facts(tmp_path, api_url):
    films, snapshot, run = tmp_path / "my films", tmp_path / "snapshots/auto/v1", tmp_path / "runs/one"

    @flow(name="lineage")
    def made():
        tell_made(snapshot, of=[films, "https://example.org/list?key=secret"], facts={"clips": 3})
        tell_made(run, of=[snapshot], facts={"stage": 1})

    with prefect_server(Home(tmp_path / "home")) as url:
        assert url == api_url
        made()
        send_what_waits()

        def events():
            found = asked(url, "/events/filter", filter={"event": {"name": [MADE]}}, limit=50)["events"]
            return [one for one in found if str(tmp_path.name) in one["resource"]["prefect.resource.id"]]

        until(lambda: len(events()) == 2)
        told = {one["resource"]["prefect.resource.id"]: one for one in events()}
    of_run, of_snapshot = told[asset_key(run)], told[asset_key(snapshot)]
    assert of_snapshot["payload"] == {"clips": 3} and of_run["payload"] == {"stage": 1}
    assert asset_key(snapshot) in {one["prefect.resource.id"] for one in of_run["related"]}
    named = {one["prefect.resource.id"] for one in of_snapshot["related"]}
    assert asset_key(films) in named and "secret" not in str(of_snapshot)


def test_keys_hold_what_prefect_lets_them(tmp_path):
    from prefect.assets import Asset

    for place in (
        tmp_path / "a b#c%d[e]",
        "s3://bucket/auto/v1",
        "https://example.org/a?v=1&k=2",
        "list:https://x.y/z",
        "x" * 900,
    ):
        key = asset_key(place)
        assert Asset(key=key).key == key and len(key) <= LONGEST
