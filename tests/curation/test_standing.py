"""Standing sources are kept as given, in their order, on both databases."""

import pytest

from curation.sources.standing import add_standing, remove_standing, standing_sources
from shards.errors import BadInput

LINK = "https://ann:secret@example.org/list.csv?key=7"


def test_they_are_kept_in_order_and_once(any_ledger, tmp_path):
    folder = str(tmp_path)
    assert add_standing(any_ledger, [LINK, folder]) == 2
    assert add_standing(any_ledger, ["list:https://example.org/playlist", folder, folder]) == 1
    assert standing_sources(any_ledger) == [LINK, folder, "list:https://example.org/playlist"]
    remove_standing(any_ledger, [folder])
    assert standing_sources(any_ledger) == [LINK, "list:https://example.org/playlist"]


def test_a_path_that_names_nothing_is_a_slip(any_ledger, tmp_path):
    with pytest.raises(BadInput, match="there is no file or folder"):
        add_standing(any_ledger, [LINK, str(tmp_path / "typo")])
    assert standing_sources(any_ledger) == [], "none of them was added"
    (tmp_path / "a.csv").touch()
    assert add_standing(any_ledger, [str(tmp_path / "*.csv")]) == 1


def test_what_is_not_there_cannot_be_removed(any_ledger):
    add_standing(any_ledger, [LINK])
    with pytest.raises(BadInput, match="is no standing source") as caught:
        remove_standing(any_ledger, [LINK, "https://example.org/other"])
    assert "clapboard sources list" in caught.value.remedy
    assert standing_sources(any_ledger) == [LINK]
