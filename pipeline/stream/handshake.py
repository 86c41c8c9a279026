"""One connection made to see whether the broker takes this client: the clients themselves only try again until a time-out."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from pipeline.stream.address import answers
from pipeline.stream.security import Security, SecurityError

PATIENCE_S = 10.0


def shake_hands(servers: Sequence[str], security: Security) -> None:
    """Return when one of `servers` takes the client, or none can be reached at all, which others wait for and tell.

    Blocks; not to be used within a running event loop. Raises `SecurityError` when they refuse it, or it refuses them.
    """
    asyncio.run(_shake_hands(servers, security))


async def _shake_hands(servers: Sequence[str], security: Security) -> None:
    refusal: SecurityError | None = None
    for server in servers:
        try:
            return await _greet(server, security)
        except SecurityError as error:
            refusal = error
    if refusal is not None:
        raise refusal


async def _greet(server: str, security: Security) -> None:
    host, _, port = server.rpartition(":")
    try:
        connection = await asyncio.wait_for(
            create_conn(host.strip("[]"), int(port), request_timeout_ms=int(PATIENCE_S * 1000), **security.options()),
            PATIENCE_S,
        )
    except ssl.SSLCertVerificationError as error:
        raise SecurityError(
            f"broker {server}: its certificate is not trusted ({error.verify_message}): mend stream.ssl_ca_file, or name "
            "the broker as its certificate does"
        ) from None
    except ssl.SSLError as error:
        raise SecurityError(
            f"broker {server}: no TLS with it ({error.reason}): is stream.security right for this port?"
        ) from None
    except (AuthenticationFailedError, SaslAuthenticationFailed):
        raise SecurityError(
            f"broker {server} refuses {security.username} by {security.mechanism}: mend stream.sasl_username or the password"
        ) from None
    except UnsupportedSaslMechanismError:
        raise SecurityError(f"broker {server} does not know {security.mechanism}: mend stream.sasl_mechanism") from None
    except KafkaConnectionError:
        # The connection was there and is gone: with TLS 1.3 that is how a broker refuses a certificate.
        raise SecurityError(
            f"broker {server} closes the connection: it wants another stream.security, or a certificate that it trusts "
            "(stream.ssl_certificate_file)"
        ) from None
    except OSError:
        if not answers(server):
            return
        raise SecurityError(f"broker {server} speaks no TLS: is stream.security right for this port?") from None
    except KafkaError:
        return
    connection.close()
