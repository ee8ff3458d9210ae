"""Certificates that only this process's tests trust."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


class Authority:
    """An authority; `pem` is its own certificate."""

    def __init__(self) -> None:
        self._name, self._key = _subject("authority of colloquy tests"), ec.generate_private_key(ec.SECP256R1())
        root = x509.BasicConstraints(ca=True, path_length=None)
        self.pem = self._signed(self._name, self._key, root).public_bytes(PEM)

    def issue(self, name: str) -> tuple[bytes, bytes]:
        """A certificate of this common name for 127.0.0.1, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        secret = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self._signed(_subject(name), key, here).public_bytes(PEM), secret

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now, number = datetime.now(UTC), x509.random_serial_number()
        builder = x509.CertificateBuilder(self._name, name, key.public_key(), number, now, now + timedelta(1))
        return builder.add_extension(extension, critical=False).sign(self._key, hashes.SHA256())


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
