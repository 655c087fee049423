"""A request as a person edits it (docs/decisions/dead-letter-tools.md)."""

import json

from schemas.add_order import parse
from schemas.wire import FORM, JSON, decode
from worker.operations.editing import Draft


def test_a_map_of_the_one_item_stays_its_map_when_one_of_its_fields_is_edited() -> None:
    body = {"clientid": "1", "pid": "1", "domainfields": {"0": "Individual", "1": "x"}, "customfields": [{"1": "a"}]}

    edited = Draft.of(json.dumps(body).encode(), JSON).set({"domainfields[1]": "y", "customfields[0][1]": "b"})

    [item] = parse(decode(edited.body, edited.content_type)).items
    assert item.domain_fields == {"0": "Individual", "1": "y"}
    assert item.custom_fields == {"1": "b"}


def test_a_serialized_map_that_was_edited_is_serialized_again() -> None:
    body = b"clientid=1&pid=1&configoptions=YToyOntpOjA7aToxO2k6MTtpOjk5OTt9"  # a:2:{i:0;i:1;i:1;i:999;}

    edited = Draft.of(body, FORM).set({"configoptions[1]": "998"})

    [item] = parse(decode(edited.body, edited.content_type)).items
    assert {key: option.value for key, option in item.config_options.items()} == {"0": "1", "1": "998"}
