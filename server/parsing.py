"""A process of the parse pool, from its first line on kept from whatever it does not need.

Not a verb of `wicket`: only a pool starts it, and it imports next to nothing.
"""

import os
import sys

from . import perimeter

# How a pool starts one; it adds the seconds that a source may take.
COMMAND = (sys.executable, "-I", "-m", "wicket.server.parsing")


def main(seconds: float) -> None:
    """Serve sources from standard input until it ends."""
    perimeter.enclose()
    from ..indexing.worker import give_up_rights, serve  # noqa: PLC0415  Behind the perimeter.

    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Whatever native code prints is no answer.
    give_up_rights()
    serve(incoming, outgoing, seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]))
