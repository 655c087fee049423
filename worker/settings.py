"""Everything an operator may turn: ORDERS_* variables, and a file named by ORDERS_ENV_FILE. Read once, at start."""

import difflib
import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qsl, urlsplit

import orjson
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.shop_settings import GRACE_DAYS_MAX, NAMES, Given, Nameservers, Tax
from schemas.validation import in_words
from worker import publishers
from worker.broker.addresses import nodes_of
from worker.broker.reply_queues import ReplyQueues
from worker.publishers import Actions

PREFIX = "ORDERS_"
ENV_FILE = "ORDERS_ENV_FILE"
SECRET_KEY_CHARS_MIN = 32
BATCHES_IN_FLIGHT = 3  # of one process, so that Postgres works while the broker confirms
CONNECTIONS = BATCHES_IN_FLIGHT + 2  # of one process to Postgres: the sweep has one, and what it says of itself
SCHEMES = {
    "amqp_url": ("amqp", "amqps"),
    "postgres_url": ("postgresql", "postgres"),
    "management_url": ("http", "https"),
}
OF_ONE_PROCESS = frozenset({"http_port"})  # settings in which two that work alike may differ
DIGEST_DIGITS = 8
PLAIN = frozenset({"amqp", "http"})  # schemes that have another one with TLS
TLS_FILES = frozenset({"cafile", "certfile", "keyfile", "sslrootcert", "sslcert", "sslkey"})  # named in URLs
_HOST = re.compile(r"(\[[0-9a-z:.%]+\]|[^\[\]:@]*)(:[0-9]{1,5})?", re.IGNORECASE)


class SettingsError(Exception):
    """One line for each setting that is wrong, with the mend."""


class Settings(BaseSettings):
    """Names carry their unit. What a command does not need may be left out; `require` says so when it does."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    amqp_url: Annotated[SecretStr | None, Field(description="broker, as amqp://user:password@host:5672/vhost")] = None
    postgres_url: Annotated[
        SecretStr | None, Field(description="database, as postgresql://user:password@host:5432/name")
    ] = None
    management_url: Annotated[
        SecretStr | None, Field(description="management plugin of RabbitMQ, as http://user:password@host:15672")
    ] = None
    # The first key signs and encrypts, the others are still understood: rotate by putting a new one in front.
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    # Who may ask without credentials, and what; whose keys they have, where not their own.
    trusted_publishers: Annotated[Mapping[str, Actions], NoDecode, Field(default_factory=dict)]
    callers: Annotated[Mapping[str, str], NoDecode, Field(default_factory=dict)]
    # Where replies may go beside direct replies: for each publisher a rule, as user=pattern; for everybody *=pattern.
    reply_queues: Annotated[ReplyQueues, NoDecode] = ReplyQueues.of((r"*=reply\..*",))
    prefetch: Annotated[int, Field(ge=1, le=2_000)] = 400  # deliveries in hand, a process
    batch_size: Annotated[int, Field(ge=1, le=500)] = 100  # requests in one transaction
    drain_seconds: Annotated[float, Field(gt=0, le=600)] = 25.0
    request_bytes_max: Annotated[int, Field(ge=1_024, le=16 * 2**20)] = 2**20
    topology: Literal["check", "apply"] = "check"
    # First values of the shop's own settings, for what nobody has set in the database yet (schemas/shop_settings.py).
    invoice_grace_days: Annotated[int, Field(ge=0, le=GRACE_DAYS_MAX)] | None = None
    tax: Tax | None = None
    nameservers: Annotated[Nameservers | None, NoDecode] = None
    http_port: Annotated[int | None, Field(ge=1, le=65_535)] = None  # health and metrics; none: not served
    http_address: str = "0.0.0.0"  # noqa: S104  # probes come from outside of the container
    log_format: Literal["json", "console"] = "json"

    @field_validator("secret_keys", "nameservers", mode="before")
    @classmethod
    def _split_commas(cls, written: object) -> object:
        return _members(written) if isinstance(written, str) else written

    @field_validator("trusted_publishers", mode="before")
    @classmethod
    def _publishers_can_be_read(cls, written: object) -> object:
        return publishers.trusted(_members(written)) if isinstance(written, str) else written

    @field_validator("callers", mode="before")
    @classmethod
    def _callers_can_be_read(cls, written: object, info: ValidationInfo) -> object:
        if not isinstance(written, str):
            return written
        known = info.data.get("trusted_publishers")  # None: they cannot be read, which is told
        return {} if known is None else publishers.names(_members(written), known)

    # After the one above, which pydantic runs after this one.
    @field_validator("invoice_grace_days", "tax", "nameservers", mode="before")
    @classmethod
    def _empty_is_not_set(cls, written: object) -> object:
        return written or None if isinstance(written, str) else written

    @field_validator("reply_queues", mode="before")
    @classmethod
    def _rules_can_be_read(cls, written: object) -> object:
        if not isinstance(written, str):
            return written
        return ReplyQueues.of(_members(written))

    @field_validator("management_url", mode="before")
    @classmethod
    def _no_management_is_not_set(cls, written: object) -> object:
        return written or None

    @field_validator("http_address")
    @classmethod
    def _address_is_one(cls, address: str) -> str:
        try:
            return str(ipaddress.ip_address(address))
        except ValueError:
            raise ValueError("it is an IP address such as 127.0.0.1, or ::1; 0.0.0.0 is every one of IPv4") from None

    @field_validator("amqp_url", "postgres_url", "management_url")
    @classmethod
    def _url_can_be_read(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is not None and info.field_name:
            for one in nodes_of(url.get_secret_value()):
                _check_url(one, SCHEMES[info.field_name])
        return url

    @field_validator("secret_keys")
    @classmethod
    def _keys_are_long(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < SECRET_KEY_CHARS_MIN for key in keys):
            raise ValueError(f"every key must have at least {SECRET_KEY_CHARS_MIN} characters")
        return keys

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings from the environment, over those of ORDERS_ENV_FILE.

        Raises:
            SettingsError: every fault at once, misspelt names included; no value is shown.
        """
        named = {name: value for name, value in _all(environ).items() if name.startswith(PREFIX) and name != ENV_FILE}
        try:
            return cls.model_validate({name.removeprefix(PREFIX).lower(): value for name, value in named.items()})
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
            raise SettingsError(
                "\n".join(_sentence(str(fault["loc"][0]), in_words(fault)) for fault in faults)
            ) from None

    def require(self, name: Literal["amqp_url", "postgres_url"]) -> str:
        """Return a URL that the command at hand cannot do without."""
        url: SecretStr | None = getattr(self, name)
        if url is None:
            raise SettingsError(f"{PREFIX}{name.upper()} is not set: the {type(self).model_fields[name].description}")
        return url.get_secret_value()

    @property
    def first_values(self) -> Given:
        """Those of the shop's own settings that are set here."""
        values = {name: getattr(self, name) for name in NAMES if name in type(self).model_fields}
        return {name: value for name, value in values.items() if value is not None}

    def shown(self) -> dict[str, object]:
        """Tell every setting as it holds, without secrets: keys are counted, of URLs only the addresses are told."""
        return {name: _shown(getattr(self, name)) for name in type(self).model_fields}

    def digest(self) -> str:
        """Stand for the settings as they hold, without secrets: processes that differ in them can be told apart."""
        shared = {name: value for name, value in self.shown().items() if name not in OF_ONE_PROCESS}
        return hashlib.sha256(orjson.dumps(shared, option=orjson.OPT_SORT_KEYS)).hexdigest()[:DIGEST_DIGITS]

    def keys(self) -> tuple[bytes, ...]:
        """Return the secret keys, the current one first."""
        if not self.secret_keys:
            raise SettingsError(
                f"{PREFIX}SECRET_KEYS is not set: one or more keys of {SECRET_KEY_CHARS_MIN} characters or more, "
                "separated by commas, the current one first"
            )
        return tuple(key.get_secret_value().encode() for key in self.secret_keys)


def _members(written: str) -> tuple[str, ...]:
    return tuple(member.strip() for member in written.split(",") if member.strip())


def _shown(value: object) -> object:
    match value:
        case SecretStr():
            return ",".join(map(_address, nodes_of(value.get_secret_value())))
        case (SecretStr(), *_):
            return f"{len(value)} of them"
        case frozenset():
            return sorted(value)
        case Mapping():
            # Of what somebody may ask, none named is everything.
            return {name: "everything" if member is None else _shown(member) for name, member in value.items()}
        case ReplyQueues(patterns=patterns):
            return [f"{user}={pattern.pattern}" for user, pattern in patterns]
    return value


def _address(url: str) -> str:
    """Leave out who comes, with which password, and parameters, which may hold one."""
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"


def _check_url(url: str, schemes: tuple[str, ...]) -> None:
    """See that a URL is one. Those who connect would quote of user:pass/word@host the password as the port."""
    try:
        address = urlsplit(url)
    except ValueError:
        address = urlsplit("")
    user, _, hosts = address.netloc.rpartition("@")
    if address.scheme not in schemes or "@" in user or not all(map(_HOST.fullmatch, hosts.split(","))):
        begins = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ValueError(
            f"it cannot be read; it begins with {begins}, and / @ : # ? % in a password are %2F %40 %3A %23 %3F %25"
        )
    files = {name: path for name, path in parse_qsl(address.query) if name in TLS_FILES}
    if (scheme := address.scheme) in PLAIN and files:
        raise ValueError(
            f"{min(files)} is for {scheme}s://, and this begins with {scheme}://: it would not be encrypted"
        )
    for name, path in files.items():
        if not Path(path).is_file():
            raise ValueError(f"{name}: there is no file {path}")


def _all(environ: Mapping[str, str]) -> dict[str, str]:
    path = environ.get(ENV_FILE)
    if not path:
        return dict(environ)
    if not Path(path).is_file():
        raise SettingsError(f"{ENV_FILE}: there is no file {path}")
    return {name: value or "" for name, value in dotenv_values(path).items()} | dict(environ)


def _sentence(field: str, message: str) -> str:
    name = PREFIX + field.upper()
    if field in Settings.model_fields:
        return f"{name}: {message}"
    close = difflib.get_close_matches(field, Settings.model_fields, n=1)
    return f"{name}: there is no such setting" + (f"; did you mean {PREFIX}{close[0].upper()}?" if close else "")
