"""TLS to the server, by settings and URLs; the embedded server has none, so only the handshake is tested."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orca_daemon.db.address import AddressError, resolve
from orca_daemon.engine.errors import DependencyDown
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from tests.db.conftest import Make

SSL_REQUEST = 8


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of `localhost`, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def port(certificate: Path) -> Iterator[int]:
    """Port of a server that agrees to TLS and closes the connection after the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, context), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def _serve(server: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.recv(SSL_REQUEST)
            connection.sendall(b"S")
            try:
                with context.wrap_socket(connection, server_side=True) as wire:
                    wire.recv(1024)
            except OSError:
                continue


@pytest.mark.parametrize(
    ("host", "options", "output"),
    [
        pytest.param("localhost", {"sslmode": "verify-full"}, "EOF detected", id="verified"),
        pytest.param(
            "localhost", {"sslmode": "verify-full", "sslrootcert": "system"}, "verify failed", id="unknown"
        ),
        pytest.param("127.0.0.1", {"sslmode": "verify-full"}, "does not match host name", id="another"),
        pytest.param("127.0.0.1", {"sslmode": "verify-ca"}, "EOF detected", id="any name"),
    ],
)
async def test_the_server_is_verified_as_the_settings_say(
    port: int, certificate: Path, make_database: Make, host: str, options: dict[str, str], output: str
) -> None:
    tls_options = {"sslrootcert": str(certificate)} | options
    database = make_database(f"postgresql://u@{host}:{port}/d", **tls_options)
    with pytest.raises(DependencyDown, match=output):
        await database.probe()


async def test_options_of_tls_in_the_url_have_priority(certificate: Path) -> None:
    settings = DatabaseSettings.model_validate(
        {
            "url": "postgresql://u@h/d?sslmode=require",
            "sslmode": "verify-full",
            "sslrootcert": str(certificate),
        }
    )
    address = await resolve(settings, None)
    assert address.query == {"sslmode": "require", "sslrootcert": str(certificate)}


async def test_a_setting_that_names_a_missing_file_is_an_error(tmp_path: Path) -> None:
    settings = DatabaseSettings.model_validate(
        {"url": "postgresql://u@h/d", "sslrootcert": str(tmp_path / "no")}
    )
    with pytest.raises(
        AddressError, match=r"database\.sslrootcert \(ORCA_DATABASE__SSLROOTCERT\) names no file"
    ):
        await resolve(settings, None)
