"""What can go wrong with the log, as a small tree; every message says what, why, what to do."""


class AuditError(Exception):
    """The log cannot do what was asked.  Whoever was about to send must not send."""


class Poisoned(AuditError):
    """A write, a sync or a look at the files failed: this writer writes nothing any more.

    After a failed fsync a second one may lie, so there is no way back but a new start.
    """


class Unusable(AuditError):
    """The directory, the head or the key cannot be read or written: nothing was begun."""


class NoSpace(AuditError):
    """The disk is nearly full: refused before anything was written, the log is unharmed."""


class SecondWriter(AuditError):
    """Another process writes this log, or a copy of it under the same head."""


class RolledBack(AuditError):
    """The log is shorter than, or different from, the head kept in the second place."""


class Tampered(AuditError):
    """What is on the disk is not what the writer wrote, and no crash explains it."""


class NotALog(AuditError):
    """Nothing there, not a log, or one of a format that this version does not read."""


class Unwritable(AuditError):
    """A record that has no place in the format: nothing was written, the log is unharmed."""


class BadReceipt(AuditError):
    """A receipt that is not of this log, is for other bytes, or was used before."""


class NoKey(AuditError):
    """A payload that none of the given keys opens, or that has been erased."""
