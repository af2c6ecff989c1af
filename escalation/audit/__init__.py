"""The audit log: append-only, chained, signed, sealed, and durable before anything leaves.

Invariant: what a call returned for is on the disk; after the first failed write nothing
is written any more.
Invariant: the reader refuses what the writer would not have written.
Invariant: nothing here opens a socket; an anchor is a copy that another program carries.
`docs/audit-format.md` specifies the files.
"""

from .errors import AuditError
from .log import AuditLog, Options, Receipt
from .writer import Position

__all__ = ["AuditError", "AuditLog", "Options", "Position", "Receipt"]
