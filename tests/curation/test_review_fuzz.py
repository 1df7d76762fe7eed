"""What the schema of the review page's JSON allows and forbids, sent to the page by the hundred."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
REQUESTS = 60
OPERATIONS = {"next", "answers", "undo", "hold", "let-go", "curves", "labels", "progress", "{clip_id}"}


@pytest.mark.parametrize(
    ("mode", "checks"),
    [(GenerationMode.POSITIVE, CHECKS), (GenerationMode.NEGATIVE, [*CHECKS, negative_data_rejection])],
    ids=["allowed", "forbidden"],
)
def test_no_request_breaks_the_page_or_what_its_schema_promises(browser, mode, checks):
    schema = schemathesis.openapi.from_dict(browser.get("/openapi.json").json())
    schema.app = browser.app
    headers = {"X-Clapboard-Token": browser.headers["X-Clapboard-Token"], "Sec-Fetch-Site": "same-origin"}
    sent = set()
    for operation in (found.ok() for found in schema.get_all_operations()):

        @seed(5)
        @settings(max_examples=REQUESTS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def hammer(case):
            case.call_and_validate(
                base_url="http://127.0.0.1", headers=headers, cookies=dict(browser.cookies), checks=checks
            )
            sent.add(case.operation.path.rpartition("/")[2])

        if mode is GenerationMode.POSITIVE or operation.path_parameters or operation.query or operation.body:
            hammer()
    if mode is GenerationMode.POSITIVE:
        assert sent == OPERATIONS
