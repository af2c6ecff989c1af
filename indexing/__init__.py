"""Know what the repository defines and where.

Invariant: never fails on bad source; what was not understood is said, not raised.
Invariant: `tree_sitter` is imported here and nowhere else.
Invariant: nothing here opens a socket, and nothing in the repository is ever run.

No module stands here yet: completion works from the open file alone.
"""
