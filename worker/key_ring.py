"""The secret keys: fingerprints of requests, and what is encrypted at rest. The only place that touches them."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import orjson
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.order import OrderRequest

# Moves when the same request would be written down differently. An unknown version counts as the same content.
_FORMAT = "1"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a request contained, without saying it. `version` names the format and the key."""

    digest: bytes
    version: str


class KeyRing:
    """Several keys, the current one first: it signs and encrypts; the others are still understood."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._signing = {f"{_FORMAT}:{_key_id(key)}": _derive(key, b"orders fingerprint") for key in keys}
        self._version = next(iter(self._signing))
        self._box = MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(key, b"orders at rest"))) for key in keys])

    def fingerprint(self, request: OrderRequest) -> Fingerprint:
        """Sign the parsed request: the same for every encoding, order of names and set of credentials."""
        return Fingerprint(self._sign(_canonical(request), self._version), self._version)

    def is_same(self, request: OrderRequest, digest: bytes, version: str) -> bool:
        """Whether a remembered fingerprint is this request's. One under a key that is gone counts as the same."""
        if version not in self._signing:
            return True
        return hmac.compare_digest(self._sign(_canonical(request), version), digest)

    def keyed_hash(self, *texts: str) -> bytes:
        """Hash a secret under the current key, to remember that it was verified without remembering it."""
        return self._sign(orjson.dumps(texts), self._version)

    def seal(self, secret: str) -> bytes:
        return self._box.encrypt(secret.encode())

    def reseal(self, sealed: bytes) -> bytes:
        """Encrypt under the current key what was encrypted under any of them.

        Raises:
            InvalidToken: it was under none of them.
        """
        return self._box.rotate(sealed)

    def open(self, sealed: bytes) -> str:
        return self._box.decrypt(sealed).decode()

    def _sign(self, content: bytes, version: str) -> bytes:
        return hmac.digest(self._signing[version], content, hashlib.sha256)


def _canonical(request: OrderRequest) -> bytes:
    return orjson.dumps(request, default=_json_value, option=orjson.OPT_SORT_KEYS)


def _json_value(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"orders key id" + key).hexdigest()[:8]


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key)
