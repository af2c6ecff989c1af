"""Speak LSP and the command line; put the other rooms together.

The only room that knows `pygls`, `lsprotocol`, argv, settings files and processes, and
the only one that imports its siblings (`completion`, `indexing`, `escalation`).

Invariant: no model runs here and `llama_cpp` is never imported; tokens come from the
engine process over a unix socket.
Invariant: a process limits itself to its row in `limits` before it reads what others wrote,
and from then on only its launcher starts processes for it.
Invariant: a provider's key is in memory where it is typed (`wicket setup`, `wicket key`) and in
the gate's process, nowhere else; sockets other than unix sockets are opened by the verbs alone
that say `reaches` in `verbs.py`.
Invariant: source code is written to no log and nothing but LSP goes to stdout.
"""
