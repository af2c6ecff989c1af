"""What a question about code needs to see: plain functions, each of which says why.

A request takes seconds here, not milliseconds, so whole texts are read; but each function
is bounded, in files, bytes or items, and says where it stopped.  None of them reads a file
by itself: `repository.Repository` is an index and a callable that reads what is in it.

| module | asked for |
|---|---|
| `gather` | everything for a question, out of several repositories, in one budget |
| `outline` | the map of a repository: what its most used files define |
| `named` | definitions whose names, documentation or paths are like a question |
| `references` | where a name is used, and whether it is that one for certain |
| `bodies` | the whole text of definitions |
| `search` | where a text stands |
| `prose` | sections of documents and documentation in code |
| `across` | what other repositories use of this one, and it of them |
"""
