"""Explain why no broker can be reached, and what to change."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

if TYPE_CHECKING:
    from streams.settings import Settings

API_VERSIONS: Final = bytes.fromhex("0000000a 0012 0000 00000001 ffff")
"""The smallest request that every broker answers, before any login: ApiVersions v0."""


async def why_unreachable(settings: Settings) -> str:
    """Try each server once more, and report its answer. aiokafka itself only says that no broker was found."""
    options = settings.client()
    options.pop("bootstrap_servers")
    answers = []
    for server in settings.servers:
        host, _, port = server.rpartition(":")
        try:
            connection = await create_conn(host, int(port), request_timeout_ms=5_000, **options)
        except (TimeoutError, OSError, KafkaError) as error:
            answers.append(f"{server}: {await _other_protocol(settings, host, int(port)) or error or type(error).__name__}")
        else:
            connection.close()
            answers.append(f"{server} answers, but gave no list of brokers")
    return f"no broker can be reached ({'; '.join(answers)}); look at CUELINE_BOOTSTRAP and CUELINE_SECURITY_PROTOCOL"


async def _other_protocol(settings: Settings, host: str, port: int) -> str | None:
    """Return a message if only one side of this connection encrypts; None if the failure has another cause."""
    mine, unverified = settings.security_protocol, ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    encrypts = mine.endswith("SSL")
    try:
        async with asyncio.timeout(5):
            answers, writer = await asyncio.open_connection(host.strip("[]"), port, ssl=None if encrypts else unverified)
            if encrypts:
                writer.write(API_VERSIONS)
                if (await answers.readexactly(8))[4:] != API_VERSIONS[8:12]:
                    return None
    except (OSError, EOFError):  # TimeoutError and SSLError are subclasses
        return None
    writer.close()
    if encrypts:
        return (
            f"it does not speak TLS there; CUELINE_SECURITY_PROTOCOL is {mine}, try {mine.replace('SSL', 'PLAINTEXT')} or its port for TLS"
        )
    return f"it speaks TLS there; CUELINE_SECURITY_PROTOCOL is {mine}, try {mine.replace('PLAINTEXT', 'SSL')} or its port without TLS"
