"""Who is told when a run of ours fails, or when clips wait for a person: a channel is a block and two automations.

A channel's address lets whoever knows it write there, so it lies in Prefect's block, which the server encrypts, and is
never shown. What somebody switched off in Prefect's UI stays off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flows.events import CLIPS_WAIT
from flows.operate.deployments import our_deployments
from shards.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from prefect.automations import AutomationCore
    from prefect.blocks.abstract import NotificationBlock
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import BlockDocument

OURS = "clapboard-"
"""How the names of our blocks begin."""

TEST_SUBJECT, TEST_BODY = "Clapboard", "This is a test: messages of Clapboard come here."


class Channel(StrEnum):
    """Where messages go, and how they are sent."""

    SLACK = "slack"
    WEBHOOK = "webhook"
    MAIL = "mail"


SCHEMES: Mapping[Channel, tuple[str, ...]] = {
    Channel.SLACK: ("https://hooks.slack.com/services/", "https://hooks.slack-gov.com/services/"),
    Channel.WEBHOOK: ("https://", "http://"),
    Channel.MAIL: ("mailto://", "mailtos://"),
}
"""How the addresses of each begin; those of mail are as Apprise reads them."""

EXAMPLES: Mapping[Channel, str] = {
    Channel.SLACK: "https://hooks.slack.com/services/T000/B000/XXX",
    Channel.WEBHOOK: "https://example.org/hook",
    Channel.MAIL: "mailtos://NAME:PASSWORD@smtp.example.org?from=clapboard@example.org&to=ada@example.org",
}


class Occasion(StrEnum):
    """What somebody is told of."""

    FAILED = "failed runs"
    CLIPS_WAIT = "clips that wait"


WORDS: Mapping[Occasion, tuple[str, str]] = {
    Occasion.FAILED: (
        "Clapboard: {{ deployment.name }} {{ flow_run.state.name | lower }}",
        "{{ deployment.name }}, run {{ flow_run.name }}: {{ flow_run.state.name }}: {{ flow_run.state.message }}\n"
        "{{ flow_run | ui_url }}",
    ),
    Occasion.CLIPS_WAIT: (
        "Clapboard: {{ event.payload.waiting }} clips wait for a person",
        "{{ event.payload.fresh }} of them are new. Review them: {{ event.payload.page }}\n"
        "home: {{ event.resource['clapboard.home'] }}",
    ),
}
"""Subject and text of a message, as Prefect's server fills them in."""


@dataclass(frozen=True, slots=True)
class Known:
    """A channel: its name, how it sends, and on which occasions."""

    name: str
    kind: str
    occasions: Mapping[Occasion, bool]


def add_channel(kind: Channel, url: str, *, name: str) -> None:
    """Keep a channel on the server of Prefect's settings, and have it used; one of that name is changed.

    Raises:
        BadInput: the address is none of that kind.
    """
    _check(kind, url)
    block = _block(kind, url)
    block.save(f"{OURS}{name}", overwrite=True)
    watch_for_people()


def channels() -> list[Known]:
    """The channels of the server of Prefect's settings."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        enabled = {one.name: one.enabled for one in client.read_automations()}
        found = []
        for block in _blocks(client):
            name = str(block.name).removeprefix(OURS)
            there = {one: _automation_name(name, one) for one in Occasion}
            occasions = {one: enabled[called] for one, called in there.items() if called in enabled}
            found.append(Known(name, str(block.block_type_name), occasions))
        return found


def remove_channel(name: str) -> None:
    """Forget a channel and its automations.

    Raises:
        BadInput: there is none of that name.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        block = _found(client, name)
        for occasion in Occasion:
            for one in client.read_automations_by_name(_automation_name(name, occasion)):
                client.delete_automation(one.id)
        client.delete_block_document(block.id)


def send_test(name: str) -> None:
    """Send a message through a channel, from this machine.

    Raises:
        BadInput: there is none of that name.
        Unavailable: it could not be sent.
    """
    from prefect.blocks.core import Block
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        document = _found(client, name)
    block: Any = Block._from_block_document(document)
    try:
        with block.raise_on_failure():
            block.notify(TEST_BODY, TEST_SUBJECT)
    except Exception as error:
        # What a library says of it may hold the address.
        raise Unavailable(
            f"the message could not be sent through {name} ({type(error).__name__})",
            remedy=f"see that its address is right and reached from here: clapboard notify add KIND URL --name {name}",
        ) from None


def watch_for_people() -> None:
    """Have the server tell every channel of failed runs and of clips that wait, once each, however often asked."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        blocks = _blocks(client)
        ids = sorted(str(one.id) for one in our_deployments(client)) if blocks else []
        for block in blocks:
            for occasion in Occasion:
                if occasion is Occasion.FAILED and not ids:
                    continue  # `clapboard up` makes it, with the deployments
                _put(client, _automation(block, occasion, ids))


def _put(client: "SyncPrefectClient", wanted: "AutomationCore") -> None:
    there = client.read_automations_by_name(wanted.name)
    if not there:
        client.create_automation(wanted)
    elif (there[0].trigger, there[0].actions) != (wanted.trigger, wanted.actions):
        client.update_automation(there[0].id, wanted.model_copy(update={"enabled": there[0].enabled}))


def _automation(block: "BlockDocument", occasion: Occasion, deployments: list[str]) -> "AutomationCore":
    from prefect.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.actions import SendNotification
    from prefect.events.schemas.events import ResourceSpecification

    if occasion is Occasion.FAILED:
        expect = {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"}
        match, related = (
            "prefect.flow-run.*",
            {"prefect.resource.id": [f"prefect.deployment.{one}" for one in deployments]},
        )
    else:
        expect, match, related = {CLIPS_WAIT}, "clapboard.home.*", {}
    subject, body = WORDS[occasion]
    return AutomationCore(
        name=_automation_name(str(block.name).removeprefix(OURS), occasion),
        description="Made by `clapboard notify` and `clapboard up`.",
        trigger=EventTrigger(
            expect=expect,
            match=ResourceSpecification.model_validate({"prefect.resource.id": match}),
            match_related=ResourceSpecification.model_validate(related),
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[SendNotification(block_document_id=block.id, subject=subject, body=body)],
    )


def _automation_name(name: str, occasion: Occasion) -> str:
    return f"clapboard: tell {name} of {occasion}"


def _blocks(client: "SyncPrefectClient") -> list["BlockDocument"]:
    documents = client.read_block_documents(include_secrets=False)
    return sorted((one for one in documents if str(one.name).startswith(OURS)), key=lambda one: str(one.name))


def _found(client: "SyncPrefectClient", name: str) -> "BlockDocument":
    """A channel's block, with its address."""
    documents = client.read_block_documents(include_secrets=True)
    for one in documents:
        if one.name == f"{OURS}{name}":
            return one
    raise BadInput(f"there is no channel {name!r}", remedy="clapboard notify list")


def _check(kind: Channel, url: str) -> None:
    """Raise if an address is none of that kind; it is not quoted, since it opens something."""
    from apprise import Apprise

    good = url.startswith(SCHEMES[kind])
    if good and (kind is Channel.WEBHOOK or Apprise().add(url)):
        return
    raise BadInput(f"that is no address of {kind}", remedy=f"such as {EXAMPLES[kind]}")


def _block(kind: Channel, url: str) -> "NotificationBlock":
    from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
    from prefect.types import SecretDict
    from pydantic import SecretStr

    if kind is Channel.WEBHOOK:
        return CustomWebhookNotificationBlock(
            name="clapboard",
            url="{{address}}",
            json_data={"subject": "{{subject}}", "text": "{{body}}"},
            secrets=SecretDict({"address": url}),
        )
    # Prefect's block for Slack hands any other address to Apprise, which sends mail too.
    return SlackWebhook(url=SecretStr(url))
