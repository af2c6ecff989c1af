"""`wicket eval`: how good the completions are, measured on the user's own code.

Text is cut out of a repository's files, the path that an editor uses is asked to put it
back, and what it says is compared with what was there.  The file with the hole is hidden
from everything that is asked.
"""
