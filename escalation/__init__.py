"""Open the gate: ask a frontier model, and write down first what leaves.

Invariant: no byte leaves before the audit log durably holds it; if the log fails, the
gate is closed.
Invariant: provider keys and provider SDKs are known here and nowhere else.
Invariant: nothing here reads the workspace; documents are handed in.

No module stands here yet: there is no gate, so nothing can leave.
"""
