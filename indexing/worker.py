"""A process that parses: sources come in, packed facts go out, and it can do nothing else.

A request is two lengths, a language and a source; an answer is a length, the processor time
spent so far and the packed facts, or nothing where there are none to be had.  A grammar is
native code that reads what a stranger wrote, so the process gives up what it does not need
before the first byte comes.
"""

import gc
import resource
import signal
import struct
import time
from typing import BinaryIO

from .facts import pack
from .grammars import at_once
from .parse import parse

REQUEST = struct.Struct("!II")
ANSWER = struct.Struct("!Id")

# A syntax tree was measured to take 24 times its source, of which there is a megabyte.
MEMORY_BYTES = 1 << 30
# Open files, the libraries of grammars among them.
OPEN_FILES = 64


def serve(incoming: BinaryIO, outgoing: BinaryIO, seconds: float) -> None:
    """Parse until `incoming` ends.

    A source that takes more than `seconds` of processor time ends the process by SIGPROF:
    the kernel sends it, so that native code which never returns is ended, too.
    """
    # Facts hold no cycles, and looking for some takes a tenth of the time.
    gc.disable()
    while head := incoming.read(REQUEST.size):
        name, size = REQUEST.unpack(head)
        language = incoming.read(name).decode()
        source = incoming.read(size)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            packed = pack(parse(language, source, tree_of=at_once))
        except Exception:  # No grammar, no memory, or a mistake of ours: the next may do.
            packed = b""
        signal.setitimer(signal.ITIMER_PROF, 0)
        outgoing.write(ANSWER.pack(len(packed), time.process_time()) + packed)
        outgoing.flush()


def give_up_rights() -> None:
    """No files written, no processes, no core dumps, little memory; for good."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Who started it ends it.
    for limit, most in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (most, most))
