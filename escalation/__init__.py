"""Open the gate: ask a frontier model, and write down first what leaves.

Invariant: no byte leaves before the audit log durably holds it; if the log fails, the
gate is closed.
Invariant: provider keys and provider SDKs are known here and nowhere else.
Invariant: nothing here reads the workspace; documents are handed in.
Invariant: `transport` is the only way out, and it takes a receipt of the log for exactly
the bytes that it sends.
"""
