"""System calls that a process gives up for good, as a classic BPF program for seccomp.

Constants are from Linux's include/uapi/linux: bpf_common.h, seccomp.h, audit.h, and from
the two system call tables.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Collection

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, FAIL_WITH = 0x7FFF0000, 0x00050000
# Offsets in struct seccomp_data; arguments are 64 bits wide, little-endian here.
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
# x32 programs call with this bit set on the same architecture.
X32 = 0x40000000
SET_MODE_FILTER, ALL_THREADS = 1, 1

# Machine -> its audit constant and the numbers of the calls that are looked at.
MACHINES: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            "socket": 41,
            "connect": 42,
            "ptrace": 101,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "seccomp": 317,
            "bpf": 321,
            "io_uring_setup": 425,
            "pidfd_getfd": 438,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "socket": 198,
            "connect": 203,
            "ptrace": 117,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "seccomp": 277,
            "bpf": 280,
            "io_uring_setup": 425,
            "pidfd_getfd": 438,
        },
    ),
}
# What no process of ours needs.  io_uring opens and connects sockets without the calls
# that a filter sees; the others reach into a process that is less limited.
NEVER = (
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "bpf",
    "io_uring_setup",
    "pidfd_getfd",
)

Instruction = tuple[int, int, int, int]


def program(families: Collection[int], *, connects: bool, machine: str) -> list[Instruction]:
    """Instructions (code, jump if true, jump if false, value) that allow everything but

    - sockets of other address families than `families` (EACCES),
    - `connect` unless `connects`: ECONNREFUSED, as if nobody listened, which libraries
      that only look for a daemon expect,
    - the calls in `NEVER` (EPERM), and any call of another architecture (EPERM).
    """
    audit, calls = MACHINES[machine]
    told: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, audit),
        (RETURN, 0, 0, FAIL_WITH | errno.EPERM),
        (LOAD, 0, 0, NUMBER),
    ]

    def fail(number: int, code: int, jump: int = JUMP_EQUAL) -> None:
        told.extend(((jump, 0, 1, number), (RETURN, 0, 0, FAIL_WITH | code)))

    if machine == "x86_64":
        fail(X32, errno.EPERM, JUMP_AT_LEAST)
    for name in NEVER:
        fail(calls[name], errno.EPERM)
    if not connects:
        fail(calls["connect"], errno.ECONNREFUSED)
    told.append((JUMP_EQUAL, 1, 0, calls["socket"]))
    told.append((RETURN, 0, 0, ALLOW))
    told.append((LOAD, 0, 0, FIRST_ARGUMENT))
    for family in sorted(families):
        told.extend(((JUMP_EQUAL, 0, 1, family), (RETURN, 0, 0, ALLOW)))
    told.append((RETURN, 0, 0, FAIL_WITH | errno.EACCES))
    return told


def install(families: Collection[int], *, connects: bool) -> None:
    """Give the calls up, in every thread of this process and in its children.

    Needs no_new_privs.  Raises OSError where the kernel has no seccomp or the machine is
    not in `MACHINES`.
    """
    machine = platform.machine()
    if machine not in MACHINES:
        raise OSError(errno.ENOSYS, f"no system call numbers for {machine}")
    told = program(families, connects=connects, machine=machine)
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in told)
    held = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions, then a pointer to them.
    whole = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(told), ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_long(MACHINES[machine][1]["seccomp"])
    # A positive answer names a thread that could not be limited along with us.
    if answer := libc.syscall(number, SET_MODE_FILTER, ALL_THREADS, whole):
        reason = ctypes.get_errno() if answer < 0 else errno.EBUSY
        raise OSError(reason, "seccomp is refused")
