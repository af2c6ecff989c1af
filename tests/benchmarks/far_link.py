"""A link between two network namespaces, as long and as lossy as it is told: needs root.

The kernel's TCP runs at both ends; between them every packet goes through two TUN devices
and this program, which holds it back for half of the round trip or drops it.  No queueing
discipline is needed, and nothing of the machine's own network is touched.
"""

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

NEAR, FAR = "wicket-near", "wicket-far"
NEAR_ADDRESS, FAR_ADDRESS = "10.86.0.1", "10.86.0.2"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000


def missing() -> str | None:
    """Why there can be no such link on this machine."""
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    if not Path("/dev/net/tun").exists():
        return "the kernel has no /dev/net/tun"
    made = subprocess.run(["ip", "netns", "list"], capture_output=True, check=False)
    return None if made.returncode == 0 else "iproute2 has no network namespaces here"


class Link:
    """The running link; `cut` and `mend` it at will."""

    def __init__(self, relay: "subprocess.Popen[str]") -> None:
        self._relay = relay

    def cut(self) -> None:
        self._relay.send_signal(signal.SIGUSR1)

    def mend(self) -> None:
        self._relay.send_signal(signal.SIGUSR2)


@contextlib.contextmanager
def link(round_trip_ms: float, loss: float) -> Iterator[Link]:
    _clear()
    relay = None
    try:
        for name in (NEAR, FAR):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        relay = subprocess.Popen(
            [sys.executable, __file__, str(round_trip_ms / 2000), str(loss)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert relay.stdout
        assert relay.stdout.readline() == "ready\n"
        for name, device, own in ((NEAR, "near", NEAR_ADDRESS), (FAR, "far", FAR_ADDRESS)):
            _ip("-n", name, "address", "add", f"{own}/30", "dev", device)
            _ip("-n", name, "link", "set", device, "up")
        yield Link(relay)
    finally:
        if relay:
            relay.kill()
            relay.wait()
        _clear()


def inside(name: str, *command: str) -> list[str]:
    return ["ip", "netns", "exec", name, *command]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=10)


def _clear() -> None:
    for name in (NEAR, FAR):
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _device(namespace: str, name: str) -> int:
    """A TUN device made inside a namespace; the descriptor works from anywhere."""
    with open(f"/run/netns/{namespace}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def relay(delay: float, loss: float) -> None:
    """Carry packets both ways until killed."""
    chance = random.Random(1)
    devices = (_device(NEAR, "near"), _device(FAR, "far"))
    whole = [True]
    signal.signal(signal.SIGUSR1, lambda *_: whole.__setitem__(0, False))
    signal.signal(signal.SIGUSR2, lambda *_: whole.__setitem__(0, True))
    print("ready", flush=True)
    held: list[tuple[float, int, int, bytes]] = []
    count = 0
    while True:
        wait = max(0.0, held[0][0] - time.monotonic()) if held else None
        for device in select.select(devices, [], [], wait)[0]:
            # Up to a device's last packet, so that none waits for another's turn.
            with contextlib.suppress(BlockingIOError):
                while packet := os.read(device, 65536):
                    if whole[0] and chance.random() >= loss:
                        count += 1
                        to = devices[1] if device == devices[0] else devices[0]
                        heapq.heappush(held, (time.monotonic() + delay, count, to, packet))
        while held and held[0][0] <= time.monotonic():
            _due, _count, to, packet = heapq.heappop(held)
            # A device that is not up yet refuses it: one more lost packet.
            with contextlib.suppress(OSError):
                os.write(to, packet)


if __name__ == "__main__":
    relay(float(sys.argv[1]), float(sys.argv[2]))
