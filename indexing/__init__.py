"""Know what the repository defines and where.

Invariant: never fails on bad source; what was not understood is said, not raised.
Invariant: `tree_sitter` is imported here and nowhere else.
Invariant: nothing here opens a socket, and nothing in the repository is ever run.
Invariant: a grammar parses in a process of its own (`worker.py`), which reads no file.
Invariant: one process writes an index, and only under the places that it is given; whoever
reads it (`reader.py`) gets an answer or an empty one, never an error.
Invariant: retrieval asks an index and reads no file; each item that it gives says why.
Invariant: research reads only what is in an index, through what it is handed, within bounds.

The disk is the truth: `build.py` is the flow that makes an index say what the disk says.
"""
