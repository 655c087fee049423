"""What keys are for: fingerprints and secrets at rest, both of which outlive a rotation."""

from dataclasses import replace
from decimal import Decimal

from schemas.order import Item, OrderRequest
from worker.key_ring import KeyRing

NEW, OLD = b"new" * 11, b"old" * 11


def test_a_fingerprint_is_of_content_and_key() -> None:
    request = OrderRequest(client_id=1, items=(Item(key=0, product_id=1, price_override=Decimal("5.00")),))
    keys = KeyRing([NEW])
    fingerprint = keys.fingerprint(request)

    assert keys.is_same(request, fingerprint.digest, fingerprint.version)
    assert not keys.is_same(replace(request, client_id=2), fingerprint.digest, fingerprint.version)
    assert KeyRing([OLD]).fingerprint(request).digest != fingerprint.digest


def test_fingerprints_outlive_a_rotation_and_those_of_a_lost_key_count_as_the_same() -> None:
    request, other = OrderRequest(client_id=1), OrderRequest(client_id=2)
    before = KeyRing([OLD]).fingerprint(request)
    rotated, lost = KeyRing([NEW, OLD]), KeyRing([NEW])

    assert rotated.is_same(request, before.digest, before.version)
    assert not rotated.is_same(other, before.digest, before.version)
    assert lost.is_same(other, before.digest, before.version)


def test_secrets_at_rest_outlive_a_rotation() -> None:
    sealed = KeyRing([OLD]).encrypt("Ab#1+2&3=")

    assert b"Ab#1" not in sealed
    assert KeyRing([NEW, OLD]).decrypt(sealed) == "Ab#1+2&3="
