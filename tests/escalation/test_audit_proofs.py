"""Proofs and bundles that a stranger verifies with one file and Python alone."""

import hashlib
import random
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from wicket.escalation.audit import tree, verify
from wicket.escalation.audit.errors import NotALog
from wicket.escalation.audit.proof import Signed
from wicket.escalation.audit.tree import Span, Tree, leaf_hash

from .audit_world import World, world_in_memory

# RFC 8032, 7.1, TEST 1 to 3 and TEST SHA(abc): public key, message, signature.
RFC_8032 = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
        "b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
        "1d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
        "c6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fe"
        "ebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431"
        "e0303dca179c138ac17ad9bef1177331a704",
    ),
)


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_verifiers_own_ed25519(public: str, message: str, signature: str) -> None:
    key, text, signed = (bytes.fromhex(value) for value in (public, message, signature))
    assert verify.signed_by(key, signed, text)
    order = (int.from_bytes(signed[32:], "little") + verify.L).to_bytes(32, "little")
    for wrong in (signed[:32] + order, bytes(64), signed[:-1], signed[1:] + signed[:1]):
        assert not verify.signed_by(key, wrong, text)
    assert not verify.signed_by(key, signed, text + b" ")
    assert not verify.signed_by(b"\xff" * 32, signed, text)


def test_it_agrees_with_cryptography() -> None:
    dice = random.Random(8032)
    for _ in range(30):
        key = Ed25519PrivateKey.from_private_bytes(dice.randbytes(32))
        text = dice.randbytes(dice.randint(0, 200))
        signed = bytearray(key.sign(text))
        public = key.public_key().public_bytes_raw()
        assert verify.signed_by(public, bytes(signed), text)
        signed[dice.randrange(64)] ^= 1 << dice.randrange(8)
        assert not verify.signed_by(public, bytes(signed), text)


def recursive(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    left, right = recursive(hashes[:k]), recursive(hashes[k:])
    return hashlib.sha256(b"\1" + left + right).digest()


def test_trees_of_every_size() -> None:
    """Root, joined spans, inclusion and consistency, against the RFC's own words."""
    hashes = [leaf_hash(bytes([n])) for n in range(40)]
    for size in range(1, 41):
        span, whole = Span(), recursive(hashes[:size])
        for middle in range(size + 1):
            left, right = Span(), Span(middle, middle)
            for n in range(size):
                (left if n < middle else right).add(hashes[n])
            left.join(right)
            assert left.root == whole
        nodes = Tree(hashes[:size])
        for index in range(size):
            path = [nodes.root(run) for run in tree.inclusion(index, size)]
            assert tree.root_of_inclusion(index, size, hashes[index], path) == whole
            assert verify.root_from(index, size, hashes[index], path) == whole
            for wrong in (path[:-1], [*path, bytes(32)], [bytes(32), *path[1:]]):
                if wrong != path:
                    assert tree.root_of_inclusion(index, size, hashes[index], wrong) != whole
        for old in range(1, size + 1):
            path = [nodes.root(run) for run in tree.consistency(old, size)]
            before = recursive(hashes[:old])
            assert tree.consistent(old, before, size, whole, path)
            assert not tree.consistent(old, bytes(32), size, whole, path)
            assert not tree.consistent(old, before, size, bytes(32), path)
        del span


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with world_in_memory() as made:
        opened = made.begin()
        for number in range(10):
            made.exchange(opened, b"content %d" % number)
        opened.writer.checkpoint()
        opened.release()
        yield made


def standalone(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The single file, isolated from every installed package."""
    command = [sys.executable, "-I", "-S", verify.__file__, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_single_file_verifies_a_whole_log(world: World) -> None:
    done = standalone(world.directory)
    assert (done.returncode, done.stdout.split(",")[0]) == (0, "whole: 27 records"), done
    key = world.root / "key"
    key.write_text(f"{world.verifier}\n")
    head = world.layout.head
    assert standalone(world.directory, "--key", key, "--expect", head).returncode == 0
    with world_in_memory() as other:
        other.begin().release()
        key.write_text(f"{other.verifier}\n")
    assert standalone(world.directory, "--key", key).returncode == 1
    assert standalone(world.root / "nothing").returncode == 3
    assert standalone().returncode == 2


def test_both_verifiers_find_the_same(world: World) -> None:
    """Two programs that share no code agree on every damage that is tried."""
    dice, tried = random.Random(1), 0
    for path in [*sorted(world.directory.glob("seg-*")), world.directory / "checkpoint"]:
        whole = path.read_bytes()
        for _ in range(25 if whole else 0):
            damaged = bytearray(whole)
            damaged[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
            path.chmod(0o600)
            path.write_bytes(damaged)
            assert world.verify().code == 1
            assert verify.main([str(world.directory)]) == 1
            path.write_bytes(whole)
            tried += 1
    assert world.verify().code == verify.main([str(world.directory)]) == 0
    print(f"\n{tried} damages, both verifiers agree")


def test_a_bundle_verifies_offline_and_every_change_to_it_is_found(
    world: World, tmp_path: Path
) -> None:
    signed = Signed.of(world.directory)
    bundle = tmp_path / "evidence.zip"
    signed.bundle(bundle, [0, 3, 24])
    done = standalone(bundle)
    assert (done.returncode, done.stdout) == (
        0,
        "whole: 3 records of a log of 27, 0 payloads erased\n",
    ), done
    with zipfile.ZipFile(bundle) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    dice = random.Random(2)
    for name in members.keys() - {"README.txt", "verify.py"}:
        for _ in range(5):
            damaged = bytearray(members[name])
            damaged[dice.randrange(len(damaged) - 1)] ^= 1
            with zipfile.ZipFile(tmp_path / "damaged.zip", "w") as made:
                for each, content in members.items():
                    made.writestr(each, bytes(damaged) if each == name else content)
            assert verify.main([str(tmp_path / "damaged.zip")]) == 1, name
    with pytest.raises(NotALog, match="not covered"):
        signed.proof(27)
