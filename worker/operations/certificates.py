"""Until when the servers' certificates are valid, as each shows it to whoever comes: no password is sent."""

import asyncio
import ssl
import struct
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import SplitResult, parse_qsl, urlsplit

from cryptography import x509

AMQPS_PORT, POSTGRES_PORT = 5671, 5432
SHOW_SECONDS_MAX = 5.0
# Postgres' SSLRequest, and its answer where it speaks TLS (protocol, "SSL Session Encryption").
ASKS_FOR_TLS = struct.pack("!ii", 8, 80_877_103)
SPEAKS_TLS = b"S"
WITHOUT_TLS = frozenset({"disable", "allow"})  # sslmode; as it comes, TLS is taken where there is some


async def valid_until(url: str) -> list[tuple[str, datetime]]:
    """Tell of each server that a URL names, where it speaks TLS and shows a certificate, until when that is valid."""
    found = await asyncio.gather(*(_shown(*place) for place in _places(urlsplit(url))))
    return [one for one in found if one is not None]


def _places(address: SplitResult) -> Iterator[tuple[str, int, bool]]:
    """Name host and port of each, and whether it must be asked for TLS first."""
    is_postgres = address.scheme in {"postgresql", "postgres"}
    given = dict(parse_qsl(address.query)).get("sslmode", "")
    if address.scheme == "amqps" or (is_postgres and given not in WITHOUT_TLS):
        for place in address.netloc.rpartition("@")[2].split(","):
            one = urlsplit(f"//{place}")
            if one.hostname:
                yield one.hostname, one.port or (POSTGRES_PORT if is_postgres else AMQPS_PORT), is_postgres


async def _shown(host: str, port: int, is_postgres: bool) -> tuple[str, datetime] | None:  # noqa: FBT001  # a place
    # Whether it may be trusted is judged by who connects; here one looks at it, whoever's it is.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(SHOW_SECONDS_MAX):
            _, writer = await _shaken(host, port, context, is_postgres=is_postgres)
    except (OSError, EOFError):
        return None
    shown = writer.get_extra_info("ssl_object")
    der = shown.getpeercert(binary_form=True) if shown else None
    writer.transport.abort()
    return (f"{host}:{port}", x509.load_der_x509_certificate(der).not_valid_after_utc) if der else None


async def _shaken(
    host: str, port: int, context: ssl.SSLContext, *, is_postgres: bool
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if not is_postgres:
        return await asyncio.open_connection(host, port, ssl=context)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(ASKS_FOR_TLS)
    if await reader.readexactly(1) == SPEAKS_TLS:
        await writer.start_tls(context, server_hostname=host)
    return reader, writer
