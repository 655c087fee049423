"""What pydantic finds wrong with a value, in words for whoever wrote it."""

from pydantic_core import ErrorDetails

# Of kinds that tell what was wrong with a value.
_SENTENCES = {
    "int_parsing": "must be a whole number such as 7",
    "float_parsing": "must be a number such as 7.5",
    "missing": "is missing",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "must not be longer than {max_length} characters",
    "string_type": "must be text",
    "string_unicode": "must be text",
    "too_long": "must not have more than {max_length} entries",
    "invalid_key": "a key must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "model_type": "must be an object",
    "dict_type": "must be an object",
}


def in_words(error: ErrorDetails) -> str:
    """Say what is wrong, without the value: it may be a secret."""
    template = _SENTENCES.get(error["type"])
    return template.format(**error.get("ctx", {})) if template else error["msg"].removeprefix("Value error, ")
