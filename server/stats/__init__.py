"""`wicket stats`: what became of the suggestions, kept on this machine alone.

`feedback` infers it for one document, `observer` feeds it with what the editor says and
with the clock, `store` keeps the numbers, `figures` makes sense of them.

Invariant: nothing here keeps or logs a word of a document, or where it lies.
"""
