"""Speak LSP and the command line; put the other rooms together.

The only room that knows `pygls`, `lsprotocol`, argv, settings files and processes, and
the only one that imports its siblings (`completion`, `indexing`, `escalation`).

Invariant: no model runs here and `llama_cpp` is never imported; tokens come from the
engine process over a unix socket.
Invariant: a process limits itself to its row in `limits` before it reads what others wrote,
and from then on only its launcher starts processes for it.
Invariant: no provider key is read here, and the only sockets opened are unix sockets,
but for `wicket model pull`, which reaches the hub in the settings and where that sends it.
Invariant: source code is written to no log and nothing but LSP goes to stdout.
"""
