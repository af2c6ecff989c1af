"""Offline proofs that a record is in the log, and bundles of them for strangers.

The proof files are C2SP tlog-proof, https://c2sp.org/tlog-proof.  Section 9 of
`docs/audit-format.md` describes the bundle.
"""

import zipfile
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import reading
from .errors import NotALog
from .files import Disk
from .layout import Layout, segments
from .note import Checkpoint, Verifier, read
from .recovery import frame_bytes
from .tree import Tree, inclusion, leaf_hash

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
README = """\
This bundle holds records of a Wicket audit log, each with a proof that it is in the log
whose checkpoint is here, signed by the log's key.

    python3 verify.py {name}

needs Python 3.9 or newer and nothing else.  `--key FILE` compares the key with one that
you got in another way; without that you know only that the bundle agrees with itself.

leaves/N.json        record N, byte for byte as it is in the log
proofs/N.tlog-proof  its inclusion proof with the checkpoint (https://c2sp.org/tlog-proof)
payloads/N.frame     its sealed payload: its hash is checked, opening it takes a reader's key
checkpoint           the signed tree head (https://c2sp.org/tlog-checkpoint)
log.vkey             the log's public key
verify.py            the verifier; docs/audit-format.md in Wicket's source is its specification
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """The part of a log that its checkpoint covers, ready for proofs."""

    directory: Path
    note: bytes
    checkpoint: Checkpoint
    key: Verifier
    tree: Tree

    @classmethod
    def of(cls, directory: Path) -> "Signed":
        """Reads every leaf.  Raises NotALog, BadNote: not signed, or not what was signed."""
        try:
            note = (directory / "checkpoint").read_bytes()
        except FileNotFoundError:
            raise NotALog(f"{directory} has no checkpoint, so nothing can be proven") from None
        genesis = reading.one(directory, 0)[0]
        key = Verifier.of(genesis.data["key"])
        checkpoint = read(note, key)
        tree = Tree(_leaf_hashes(directory, checkpoint.size))
        if tree.root((0, checkpoint.size)) != checkpoint.root:
            raise NotALog("the log is not what was signed; run `audit verify`")
        return cls(directory, note, checkpoint, key, tree)

    def proof(self, seq: int) -> bytes:
        """The tlog-proof of a record.  Raises NotALog where it is not signed yet."""
        if seq >= self.checkpoint.size:
            raise NotALog(f"record {seq} is not covered by the checkpoint yet; try in a second")
        path = [self.tree.root(run) for run in inclusion(seq, self.checkpoint.size)]
        lines = [PROOF_HEADER, f"index {seq}", *(b64encode(node).decode() for node in path)]
        return "\n".join(lines).encode() + b"\n\n" + self.note

    def bundle(self, file: Path, seqs: Sequence[int]) -> None:
        """Write a zip of records, proofs, sealed payloads, key, verifier and a README."""
        layout = Layout(self.directory, self.directory / "head")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("README.txt", README.format(name=file.name))
            made.writestr("log.vkey", f"{self.key}\n")
            made.writestr("checkpoint", self.note)
            made.writestr("verify.py", Path(__file__).with_name("verify.py").read_bytes())
            for seq in seqs:
                leaf, line = reading.one(self.directory, seq)
                made.writestr(f"leaves/{seq}.json", line + b"\n")
                made.writestr(f"proofs/{seq}.tlog-proof", self.proof(seq))
                if leaf.tail.pay and (frame := frame_bytes(Disk(), layout, leaf.tail.pay)):
                    made.writestr(f"payloads/{seq}.frame", frame)


def _leaf_hashes(directory: Path, size: int) -> list[bytes]:
    found: list[bytes] = []
    for number in segments([path.name for path in directory.iterdir()], "jsonl"):
        with open(directory / f"seg-{number:010}.jsonl", "rb") as file:
            for line in file:
                if len(found) == size:
                    return found
                found.append(leaf_hash(line.rstrip(b"\n")))
    if len(found) < size:
        raise NotALog(f"{size - len(found)} signed records are missing; run `audit verify`")
    return found
