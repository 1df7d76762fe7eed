"""With nothing to publish, the error names the command that helps."""

import pytest

from curation.home.folder import Home
from curation.settings.recipe import Recipe
from curation.steps.publish import NothingToPublish, Selection, publish_selection


@pytest.mark.parametrize(
    ("selection", "why", "command"),
    [
        (Selection.CURATED, "accepted by people yet", "`clapboard review serve`"),
        (Selection.AUTO, "no clip was accepted", "`clapboard funnel`"),
    ],
)
def test_where_nothing_was_accepted_the_remedy_is_a_command(
    empty_ledger, tmp_path, media_workers, selection, why, command
):
    with pytest.raises(NothingToPublish, match=why) as nothing:
        publish_selection(empty_ledger, selection, home=Home(tmp_path), recipe=Recipe(), workers=media_workers)
    assert command in nothing.value.remedy
