"""A cable between two network namespaces: ``python -m tests.soak.wire``.

It opens a tunnel device in the namespace that it is started in, leaves for a new one, opens the
other end there, and carries packets between them: late by so much, and without a share of them,
drawn at random. No kernel module for that is needed. Lines on stdin: ``cut``, ``mend``, ``end``; a
line on stdout, ``ready``, when both ends are there.
"""

import argparse
import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

DEVICES = ("lab0", "amp0")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
PACKET = 65_536  # bytes


def tunnel(name: str) -> int:
    """A new tunnel device of the present namespace, as an open file."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return file


def leave(kind: int = CLONE_NEWNET) -> None:
    """Go on in a new namespace of a kind."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(kind):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def carry(
    ends: tuple[int, int], delay: float, loss: float, dice: random.Random, said: int = 0
) -> None:
    """Carry packets until the open file ``said`` says ``end`` or closes."""
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    waiting: list[tuple[float, int, int, bytes]] = []
    number, is_cut, orders = 0, False, b""
    while True:
        left = max(waiting[0][0] - time.monotonic(), 0.0) if waiting else 1.0
        for file in select.select([*ends, said], [], [], left)[0]:
            if file == said:
                piece = os.read(said, 4096)
                orders += piece
                *lines, orders = orders.split(b"\n")
                if not piece or b"end" in lines:
                    return
                for line in lines:
                    is_cut = line == b"cut"
                continue
            packet = os.read(file, PACKET)
            if is_cut or dice.random() < loss:
                continue
            number += 1
            heapq.heappush(waiting, (time.monotonic() + delay, number, other[file], packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, to, packet = heapq.heappop(waiting)
            try:
                os.write(to, packet)
            except OSError:  # the device is down, or full: a packet more is lost
                continue


def main() -> None:
    """Open both ends and carry."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.005, help="s, each way")
    parser.add_argument("--loss", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    near = tunnel(DEVICES[0])
    leave()
    far = tunnel(DEVICES[1])
    print("ready", flush=True)
    carry((near, far), args.delay, args.loss, random.Random(args.seed))


if __name__ == "__main__":
    sys.exit(main())
