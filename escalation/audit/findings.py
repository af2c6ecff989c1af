"""What a verification found: one row for everything wrong, and the report around them."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["tampered", "incomplete"]
# Findings of one piece beyond this say nothing new.
FINDINGS_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: what, at which record, where on the disk, in words."""

    severity: Severity
    what: str
    seq: int | None
    place: str
    text: str


@dataclass(slots=True)
class Report:
    """What was read, what is wrong, and how much of it is signed."""

    directory: str
    log: str = ""
    records: int = 0
    segments: int = 0
    kinds: dict[str, int] = field(default_factory=dict[str, int])
    payloads: int = 0
    payload_bytes: int = 0
    erased: int = 0
    retired: int = 0
    last: str = ""
    live: bool = False
    key: str = ""
    key_from: str = ""
    signed: int = 0
    checkpoints: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    unanswered: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])
    seconds: float = 0.0

    def find(self, severity: Severity, what: str, seq: int | None, place: str, text: str) -> None:
        self.findings.append(Finding(severity, what, seq, place, text))

    @property
    def code(self) -> int:
        """The exit code of contract: 0 whole, 1 tampered, 3 incomplete."""
        severities = {finding.severity for finding in self.findings}
        return 1 if "tampered" in severities else 3 if severities else 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"code": self.code}
