"""Signed checkpoints: C2SP signed notes with Ed25519 over origin, size and root.

https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint; the keys are written
as Go's sumdb writes them, so that its tools read ours.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

# The signature type identifier of Ed25519.
ED25519 = b"\x01"
# A note is a few lines; C2SP asks for room for 16 signatures.
NOTE_LIMIT = 1 << 16
CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


class BadNote(Exception):
    """A text that is no checkpoint signed by the expected key; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: who, how many leaves, the RFC 6962 root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public half of a log's signing key."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def of(cls, text: str) -> "Verifier":
        """Of `name+id+base64`.  Raises BadNote."""
        name, _, rest = text.strip().partition("+")
        _, _, encoded = rest.partition("+")
        raw = _decoded(encoded)
        made = cls(name, raw[1:])
        if len(raw) != 33 or str(made) != text.strip():
            raise BadNote("not an Ed25519 verifier key (name+id+base64)")
        return made


@dataclass(frozen=True, slots=True)
class Signer:
    """A log's signing key; `seed` are the 32 secret bytes of RFC 8032."""

    name: str
    seed: bytes = field(repr=False)
    verifier: Verifier = field(init=False, compare=False)
    _key: Ed25519PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Each derivation multiplies a point: one is enough.
        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        object.__setattr__(self, "_key", key)
        verifier = Verifier(self.name, key.public_key().public_bytes_raw())
        object.__setattr__(self, "verifier", verifier)

    @property
    def secret(self) -> str:
        """`PRIVATE+KEY+name+id+base64`, as it is kept in a file."""
        encoded = b64encode(ED25519 + self.seed).decode()
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{encoded}"

    @classmethod
    def of(cls, text: str) -> "Signer":
        """Of what `secret` wrote.  Raises BadNote."""
        # Base64 has plus signs as well, a name has none.
        name, _, rest = text.strip().removeprefix("PRIVATE+KEY+").partition("+")
        raw = _decoded(rest.partition("+")[2])
        if len(raw) != 33:
            raise BadNote("not an Ed25519 signing key (PRIVATE+KEY+name+id+base64)")
        made = cls(name, raw[1:])
        if made.secret != text.strip():
            raise BadNote("not an Ed25519 signing key (PRIVATE+KEY+name+id+base64)")
        return made

    def sign(self, checkpoint: Checkpoint) -> bytes:
        signature = self.verifier.key_id + self._key.sign(checkpoint.text.encode())
        return f"{checkpoint.text}\n— {self.name} {b64encode(signature).decode()}\n".encode()


def read(note: bytes, verifier: Verifier) -> Checkpoint:
    """The checkpoint of a note that `verifier` has signed; others may have signed too.

    Raises BadNote: malformed, another log's, not signed by this key, a wrong signature.
    """
    text, signatures = _split(note)
    checkpoint = _checkpoint(text)
    if checkpoint.origin != verifier.name:
        raise BadNote(f"it is a checkpoint of {checkpoint.origin}, not of {verifier.name}")
    mine = f"— {verifier.name} "
    signed = False
    for line in signatures:
        raw = _decoded(line.rpartition(" ")[2])
        if line.startswith(mine) and raw[:4] == verifier.key_id:
            _check(verifier.public, raw[4:], text.encode())
            signed = True
    if not signed:
        raise BadNote(f"it is not signed by {verifier}")
    return checkpoint


def unverified(note: bytes) -> Checkpoint:
    """What a note claims, whoever signed it.  Raises BadNote where it is malformed."""
    return _checkpoint(_split(note)[0])


def _split(note: bytes) -> tuple[str, list[str]]:
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise BadNote("it is not UTF-8") from None
    text, blank, rest = whole.rpartition("\n\n")
    lines = rest.split("\n")
    if len(note) > NOTE_LIMIT or not blank or lines[-1] != "" or len(lines) < 2:
        raise BadNote("it is not a signed note")
    if CONTROL.search(whole):
        raise BadNote("it has control characters")
    for line in lines[:-1]:
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "—" or not parts[1] or len(_decoded(parts[2])) < 5:
            raise BadNote("a signature line is malformed")
    return f"{text}\n", lines[:-1]


def _checkpoint(text: str) -> Checkpoint:
    lines = text.split("\n")[:-1]
    if len(lines) < 3 or not lines[1].isascii() or not lines[1].isdigit():
        raise BadNote("its text is not a checkpoint")
    found = Checkpoint(lines[0], int(lines[1][:20]), _decoded(lines[2]))
    if found.text != text or len(found.root) != 32:
        raise BadNote("its text is not a checkpoint as this log writes it")
    return found


def _check(public: bytes, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise BadNote("its signature is wrong") from None


def _decoded(text: str) -> bytes:
    """Base64 in its one right form; leftover bits and white space are refused."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raise BadNote("base64 is malformed") from None
    if b64encode(raw).decode() != text:
        raise BadNote("base64 is malformed")
    return raw
