"""Payload frames: content sealed to reviewers' keys, so that the writer cannot read it back.

Each record has a key of its own.  The key is sealed to every recipient in a slot at the
head of the frame (X25519, HKDF-SHA-256, AES-256-GCM); destroying the frame's bytes erases
the record for good.  Section 4 of `docs/audit-format.md`.
"""

import hashlib
import hmac
import json
import secrets
import struct
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import NoKey
from .shapes import dump

MAGIC = b"wkt1"
# Key identifier (8), ephemeral public key (32), sealed record key (32) and its tag (16).
SLOT = struct.Struct("8s32s48s")
SLOTS_LIMIT = 16
# Every key encrypts one message only, so that the nonce can be fixed.
NONCE = bytes(12)
PUBLIC, PRIVATE = "x25519:", "x25519-private:"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A frame's two pieces and the keyed commitment to the first part's plaintext."""

    head: bytes
    ciphertext: bytes
    commit: str

    @property
    def length(self) -> int:
        return len(self.head) + len(self.ciphertext)


@dataclass(frozen=True, slots=True)
class ReaderKey:
    """A reviewer's key pair."""

    secret: bytes = field(repr=False)

    @classmethod
    def new(cls) -> "ReaderKey":
        return cls(secrets.token_bytes(32))

    @classmethod
    def of(cls, text: str) -> "ReaderKey":
        """Of `x25519-private:BASE64`.  Raises NoKey."""
        return cls(_key(text, PRIVATE))

    def __str__(self) -> str:
        return PRIVATE + b64encode(self.secret).decode()

    @property
    def public(self) -> str:
        """`x25519:BASE64`, as settings name a recipient."""
        key = X25519PrivateKey.from_private_bytes(self.secret).public_key()
        return PUBLIC + b64encode(key.public_bytes_raw()).decode()


class RecordKey:
    """The random key of one record, from which all its other keys are derived."""

    def __init__(self, raw: bytes | None = None) -> None:
        self.raw = raw or secrets.token_bytes(32)

    def commit(self, content: bytes) -> str:
        """A commitment to `content` that only who has this key can test a guess against."""
        key = _derived(self.raw, b"", b"wicket audit commitment v1")
        return hmac.digest(key, content, "sha256").hex()

    def cipher(self) -> AESGCM:
        return AESGCM(_derived(self.raw, b"", b"wicket audit payload v1"))


def recipient(text: str) -> bytes:
    """The 32 bytes of `x25519:BASE64`.  Raises NoKey."""
    return _key(text, PUBLIC)


def seal(
    key: RecordKey,
    parts: Mapping[str, bytes],
    commit: str,
    recipients: tuple[bytes, ...],
    context: bytes,
) -> Sealed:
    """Seal `parts` to every recipient; `context` binds the frame to its log and record."""
    sizes = dump([[name, len(content)] for name, content in parts.items()])
    plain = b"".join((sizes.encode(), b"\n", *parts.values()))
    slots = [_slot(key.raw, public, context) for public in recipients]
    head = MAGIC + bytes([len(slots)]) + b"".join(slots)
    return Sealed(head, key.cipher().encrypt(NONCE, plain, context), commit)


def head_length(frame: bytes) -> int:
    """Bytes before the ciphertext; -1 where it is no frame."""
    if frame[:4] != MAGIC or not 0 < frame[4] <= SLOTS_LIMIT:
        return -1
    return 5 + frame[4] * SLOT.size


def hashes(frame: bytes) -> tuple[str, str] | None:
    """SHA-256 of the head and of the ciphertext; None where it is no frame."""
    end = head_length(frame) if len(frame) > 5 else -1
    if end < 0:
        return None
    return hashlib.sha256(frame[:end]).hexdigest(), hashlib.sha256(frame[end:]).hexdigest()


def unseal(frame: bytes, reader: ReaderKey, context: bytes) -> tuple[RecordKey, dict[str, bytes]]:
    """The record's key and parts.  Raises NoKey: erased, or sealed to others."""
    end = head_length(frame) if len(frame) > 5 else -1
    if end < 0:
        raise NoKey("the payload has been erased" if not any(frame) else "not a payload frame")
    mine = recipient(reader.public)
    for slot in range(5, end, SLOT.size):
        name, ephemeral, sealed = SLOT.unpack(frame[slot : slot + SLOT.size])
        if name != _key_id(mine):
            continue
        private = X25519PrivateKey.from_private_bytes(reader.secret)
        shared = private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        try:
            raw = _slot_cipher(shared, ephemeral, mine).decrypt(NONCE, sealed, context)
            key = RecordKey(raw)
            plain = key.cipher().decrypt(NONCE, frame[end:], context)
        except InvalidTag:
            raise NoKey("the payload does not open: it was changed") from None
        return key, _parts(plain)
    raise NoKey("the payload is sealed to other keys")


def _parts(plain: bytes) -> dict[str, bytes]:
    head, _, rest = plain.partition(b"\n")
    found: dict[str, bytes] = {}
    for name, size in cast(list[tuple[str, int]], json.loads(head)):
        found[name], rest = rest[:size], rest[size:]
    return found


def _slot(raw: bytes, public: bytes, context: bytes) -> bytes:
    private = X25519PrivateKey.generate()
    ephemeral = private.public_key().public_bytes_raw()
    shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    sealed = _slot_cipher(shared, ephemeral, public).encrypt(NONCE, raw, context)
    return SLOT.pack(_key_id(public), ephemeral, sealed)


def _slot_cipher(shared: bytes, ephemeral: bytes, public: bytes) -> AESGCM:
    return AESGCM(_derived(shared, ephemeral + public, b"wicket audit slot v1"))


def _derived(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(secret)


def _key_id(public: bytes) -> bytes:
    return hashlib.sha256(public).digest()[:8]


def _key(text: str, prefix: str) -> bytes:
    try:
        raw = b64decode(text.strip().removeprefix(prefix), validate=True)
    except ValueError:
        raw = b""
    if not text.startswith(prefix) or len(raw) != 32:
        raise NoKey(f"not a key of the form {prefix}BASE64 with 32 bytes")
    return raw
