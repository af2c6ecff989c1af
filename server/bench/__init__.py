"""`wicket bench`: how fast the parts of Wicket are on this machine.

A part is a row in `table`, and one module here that measures it once.  Timing runs, their
medians and their file are `result`'s, which the scripts in `tests/benchmarks` share.
"""
