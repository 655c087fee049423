"""The secret keys: fingerprints of requests, and what is encrypted at rest. The only place that touches them."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.canonical import ADD_ORDER, FORMAT, canonical

SEAL_DIGITS = 32  # of 64: 128 bits that nobody guesses, in a header that is small
SEAL_CHARS_MAX = SEAL_DIGITS + 9  # with the key's id


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a request contained, without saying it. `version` names the format and the key."""

    digest: bytes
    version: str


class KeyRing:
    """Several keys, the current one first: it signs and encrypts; the others are still understood."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._signing = {f"{FORMAT}:{_key_id(key)}": _derive(key, b"orders fingerprint") for key in keys}
        self._version = next(iter(self._signing))
        self._sealing = {_key_id(key): _derive(key, b"orders seal") for key in keys}
        self._sealing_id = next(iter(self._sealing))
        self._box = MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(key, b"orders at rest"))) for key in keys])

    def fingerprint(self, request: object, action: str = ADD_ORDER) -> Fingerprint:
        """Sign the parsed request: the same for every encoding, order of names and set of credentials."""
        return Fingerprint(self._sign(canonical(request, action), self._version), self._version)

    def is_same(self, request: object, digest: bytes, version: str, action: str = ADD_ORDER) -> bool:
        """Whether a remembered fingerprint is this request's.

        One of another format, or under a key that is gone, counts as the same: nobody can tell any more.
        """
        if version not in self._signing:
            return True
        return hmac.compare_digest(self._sign(canonical(request, action), version), digest)

    def has_signed(self, version: str) -> bool:
        """Whether a fingerprint of this version, of whatever format, is under one of these keys."""
        return version.partition(":")[2] in {own.partition(":")[2] for own in self._signing}

    def keyed_hash(self, *texts: str) -> bytes:
        """Hash a secret under the current key, to remember that it was verified without remembering it."""
        return self._sign(orjson.dumps(texts), self._version)

    def seal(self, content: bytes) -> str:
        """Sign what we write onto a message, so that it can be told from what its publisher wrote."""
        return _seal(self._sealing_id, self._sealing[self._sealing_id], content)

    def is_sealed(self, content: bytes, seal: str) -> bool:
        """Whether one of us, under any of the keys, wrote this."""
        key_id = seal.partition(":")[0]
        key = self._sealing.get(key_id)
        return key is not None and hmac.compare_digest(_seal(key_id, key, content).encode(), seal.encode())

    def encrypt(self, secret: str) -> bytes:
        return self._box.encrypt(secret.encode())

    def encrypt_anew(self, encrypted: bytes) -> bytes:
        """Encrypt under the current key what was encrypted under any of them.

        Raises:
            InvalidToken: it was under none of them.
        """
        return self._box.rotate(encrypted)

    def can_open(self, encrypted: bytes) -> bool:
        """Whether it was encrypted under one of these keys."""
        try:
            self._box.decrypt(encrypted)
        except InvalidToken:
            return False
        return True

    def decrypt(self, encrypted: bytes) -> str:
        return self._box.decrypt(encrypted).decode()

    def _sign(self, content: bytes, version: str) -> bytes:
        return hmac.digest(self._signing[version], content, hashlib.sha256)


def _seal(key_id: str, key: bytes, content: bytes) -> str:
    return f"{key_id}:{hmac.digest(key, content, hashlib.sha256).hex()[:SEAL_DIGITS]}"


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"orders key id" + key).hexdigest()[:8]


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key)
