"""Train the embedded model: from a manifest of packages to a GGUF file and its card.

Each step is one command of `python -m wicket.completion.training`; docs/training.md shows
them.  Everything here needs the extra `[train]`, or says so.

Invariant: no part of the product imports this package; `server/model_tune.py` alone does,
when a person types `wicket model tune`.
Invariant: a prompt is laid out by `families` and cut by `prompt`, as the engine does it, so
that a model is never trained on another format than the one it is asked in.
"""
