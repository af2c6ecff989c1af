"""Complete code at the cursor with a local model.

A cursor is a path, a text and an offset; an answer is a text, a range and the reasons.

Invariant: nothing here knows LSP, settings files or the command line.
Invariant: nothing here opens a listening socket or starts a process; both are handed in.
Invariant: `llama_cpp` is imported by `llama.py` alone (and `training`, which is no part of the
product), so that every other module works
on a machine where no compiler ever ran.
Invariant: no frontier provider is reached from here.  A network is reached by
`connection.py` and `team.py` alone, and only the servers that trusted settings name; and by
`models/fetching.py`, for a model that the user asks for.
"""
