#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pvgpud's control socket against clients that send garbage, too much, half a
message, nothing, or do not read, and against many of them at once."""

import os
import random
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

MESSAGE_MAX = 65536
CLIENTS_MAX = 64


def refused(client, field):
    """The client gets BadMessage about the field, and then the end."""
    reply = client.receive()
    check(reply and reply["error"] == "io.pvgpu.Manager.BadMessage" and
          reply["parameters"]["field"] == field, f"{reply}")
    check(client.receive() is None, "the connection goes on")


def service_interface_answers():
    with Daemon() as daemon, Client(daemon) as client:
        info = client.call("org.varlink.service.GetInfo")
        check(info["product"] == "pvgpud" and "io.pvgpu.Manager" in
              info["interfaces"], f"{info}")
        text = client.call("org.varlink.service.GetInterfaceDescription",
                           interface="io.pvgpu.Manager")["description"]
        with open("host-backend/manager/io.pvgpu.Manager.varlink") as f:
            check(text == f.read(), "another description than the file's")


def methods_take_what_the_description_says():
    """Every method, asked with a parameter that none has, names its own."""
    with Daemon() as daemon, Client(daemon) as client:
        check(len(INTERFACE.methods) >= 13, f"{list(INTERFACE.methods)}")
        for method, ((_, described), _) in INTERFACE.methods.items():
            client.send(client.message(method, frob=1))
            reply = client.receive()["parameters"]
            check(reply["parameter"] == "frob", f"{reply}")
            taken = reply["message"].partition("allowed are: ")[2].split()
            check(taken == (list(described) or ["none"]),
                  f"{method} takes {taken}, described are {list(described)}")
            # Those that must be there, and their types.
            needed = [n for n, kind in described.items() if kind[0] != "maybe"]
            client.send(client.message(method, **{n: None for n in needed}))
            reply = client.receive()
            check(not needed or reply["error"].endswith("InvalidParameter"),
                  f"{method}: {reply}")
            for name, kind in described.items():
                client.send(client.message(method, **{
                    **{n: [] for n in needed}, name: []}))
                reply = client.receive()
                check(reply["error"].endswith("InvalidParameter"),
                      f"{method} {name}: {reply}")


def the_judge_of_replies_can_say_no():
    """Wrong replies that the tests would let pass otherwise."""
    good = {"parameters": {"vgpu": {
        "name": "a", "type": "t", "uuid": "u", "state": "waiting",
        "socket": "s", "framebuffer": 1, "placement": 0, "heads": 4}}}
    check(INTERFACE.reply_mismatch("Create", good) is None, "good")
    for change in ({"name": None}, {"heads": "4"}, {"heads": True},
                   {"state": "odd"}, {"more": 1}, {"qemuPid": "x"}):
        vgpu = {**good["parameters"]["vgpu"], **change}
        check(INTERFACE.reply_mismatch("Create", {"parameters": {
            "vgpu": vgpu}}), f"{change}")
    check(INTERFACE.reply_mismatch("Create", {"parameters": {}}), "missing")
    check(INTERFACE.reply_mismatch("List", {"parameters": {"vgpus": {}}}),
          "no array")
    check(INTERFACE.reply_mismatch("List", {
        "error": "io.pvgpu.Manager.Frob", "parameters": {}}), "error")


def garbage_gets_an_error_and_the_end():
    with Daemon() as daemon:
        for data in (b"\0", b"\xff\xfe\0", b"{\0", b"GET / HTTP/1.1\r\n\r\n\0",
                     b"[" * 60000 + b"\0", b"\"" + b"x" * 1000 + b"\0"):
            with Client(daemon) as client:
                client.send(data)
                refused(client, "message")
        numbers = random.Random(5)
        for _ in range(50):
            with Client(daemon) as client:
                client.send(bytes(numbers.randrange(1, 256) for _ in
                                  range(numbers.randrange(300))) + b"\0")
                refused(client, "message")
        check(daemon.call("List") == {"vgpus": []}, "it still answers")


def oversized_message_gets_an_error():
    with Daemon() as daemon:
        fits = Client.message("List")[:-1]
        fits += b" " * (MESSAGE_MAX - len(fits) - 1) + b"\0"
        with Client(daemon) as client:
            client.send(fits)
            check(client.receive() == {"parameters": {"vgpus": []}},
                  "the largest message that is allowed")
        with Client(daemon) as client:
            client.send(b" " + fits[:-1])
            refused(client, "message")
        with Client(daemon) as client:
            # Far more than fits anywhere; the end comes meanwhile.
            try:
                for _ in range(200):
                    client.send(b"a" * MESSAGE_MAX)
                check(False, "it took 13 MB")
            except (BrokenPipeError, ConnectionResetError):
                pass
        check(daemon.call("List") == {"vgpus": []}, "it still answers")


def half_messages_wait_and_end():
    with Daemon() as daemon:
        message = Client.message("List")
        with Client(daemon) as client:
            for byte in message[:-1]:
                client.send(bytes([byte]))
            daemon.call("List")
            client.send(message[-1:])
            check(client.receive() == {"parameters": {"vgpus": []}},
                  "a message byte by byte")
            client.send(message[:20])
        # A half-closed connection gets its answers all the same.
        with Client(daemon) as client:
            client.send(message * 3 + message[:10])
            client.socket.shutdown(socket.SHUT_WR)
            for _ in range(3):
                check(client.receive() == {"parameters": {"vgpus": []}},
                      "an answer after the end of questions")
            check(client.receive() is None, "and then the end")


def calls_in_a_row_are_answered_in_order():
    with Daemon() as daemon, Client(daemon) as client:
        calls = [client.message("Create", name=f"n{i}", type="PV24-1Q")
                 for i in range(12)]
        oneway = b'{"method":"io.pvgpu.Manager.Destroy","oneway":true,' \
                 b'"parameters":{"name":"n3"}}\0'
        client.send(b"".join(calls) + oneway + client.message("List"))
        for i in range(12):
            reply = client.receive()["parameters"]
            check(reply["vgpu"]["name"] == f"n{i}", f"{i}: {reply}")
        names = [v["name"] for v in client.receive()["parameters"]["vgpus"]]
        check(names == [f"n{i}" for i in range(12) if i != 3], f"{names}")
        # Sent and gone: done all the same.
        with Client(daemon) as gone:
            gone.send(oneway.replace(b"n3", b"n4"))
        wait_until(lambda: len(client.call("List")["vgpus"]) == 10,
                   "a oneway call of a client that left")


def a_client_that_does_not_read_stops_nobody():
    with Daemon() as daemon:
        slow = Client(daemon)
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.socket.setblocking(False)
        message = Client.message("ListTypes")
        sent = 0
        try:
            while sent < 50_000_000:
                sent += slow.socket.send(message * 100)
        except BlockingIOError:
            pass
        check(sent < 5_000_000, f"the daemon took {sent} bytes of questions")
        for _ in range(20):
            start = time.monotonic()
            daemon.call("List")
            check(time.monotonic() - start < 2, "another client waited")
        slow.close()
        wait_until(lambda: sum(link.startswith("socket:") for link in
                               descriptors(daemon.pid).values()) == 1,
                   "the slow client is forgotten")


def more_clients_than_allowed_are_turned_away():
    with Daemon() as daemon:
        clients = [Client(daemon) for _ in range(CLIENTS_MAX)]
        for client in clients:
            check(client.call("List") == {"vgpus": []}, "each is served")
        extra = Client(daemon)
        try:
            extra.send(Client.message("List"))
            answer = extra.receive()
        except (BrokenPipeError, ConnectionResetError):
            answer = None
        check(answer is None, f"one too many was served: {answer}")
        extra.close()
        clients.pop().close()
        wait_until(lambda: daemon_answers(daemon), "a place is free again")
        for client in clients:
            client.close()


def daemon_answers(daemon):
    try:
        return daemon.call("List") == {"vgpus": []}
    except (AssertionError, OSError):
        return False


def descriptors_from_clients_are_not_kept():
    with Daemon() as daemon, Client(daemon) as client:
        client.call("List")
        before = len(descriptors(daemon.pid))
        reader, writer = os.pipe()
        for _ in range(20):
            socket.send_fds(client.socket, [Client.message("List")],
                            [reader, writer])
            client.receive()
        check(len(descriptors(daemon.pid)) == before,
              f"{descriptors(daemon.pid)}")
        os.close(reader)
        os.close(writer)


def screenshot_brings_a_sealed_memfd():
    with Daemon() as daemon, Client(daemon) as client:
        client.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(daemon.directory + "/a.sock")
        wait_until(lambda: client.call("Show", name="a")["vgpu"]["state"] ==
                   "running", "running")
        for _ in range(3):
            reply = client.call("Screenshot", name="a", head=2)
            check(reply == {"width": 64, "height": 48, "stride": 256,
                            "format": "XRGB8888", "frame": 7,
                            "fileDescriptor": 0}, f"{reply}")
            check(len(client.fds) == 1, f"descriptors: {client.fds}")
            pixels = os.pread(client.fds[0], 64 * 48 * 4, 0)
            check(len(pixels) == 64 * 48 * 4 and
                  pixels[4:8] == (2 << 20 | 1).to_bytes(4, "little"),
                  "pixels")
            os.close(client.fds.pop())
        dark = expect_error("HeadDark", client.call, "Screenshot", name="a",
                            head=1)
        check(dark["field"] == "head", f"{dark}")
        expect_error("NoSuchHead", client.call, "Screenshot", name="a",
                     head=4)
        qemu.close()


def descriptor_exhaustion_is_survived():
    """With no descriptor left it turns clients away, says so, and goes on."""
    with Daemon() as daemon:
        held = len(descriptors(daemon.pid))
        subprocess.run(["prlimit", f"--pid={daemon.pid}",
                        f"--nofile={held + 3}:{held + 3}"], check=True)
        clients = [Client(daemon) for _ in range(8)]
        wait_until(lambda: "no new connections for a second" in daemon.log(),
                   "it says so")
        with open(f"/proc/{daemon.pid}/stat") as f:
            before = sum(map(int, f.read().split()[13:15]))
        time.sleep(0.8)
        with open(f"/proc/{daemon.pid}/stat") as f:
            used = sum(map(int, f.read().split()[13:15])) - before
        check(used < 20, f"it spins: {used} ticks in 0.8 s")
        for client in clients:
            client.close()
        wait_until(lambda: daemon_answers(daemon), "it recovers")


if __name__ == "__main__":
    run_tests([
        service_interface_answers,
        methods_take_what_the_description_says,
        the_judge_of_replies_can_say_no,
        garbage_gets_an_error_and_the_end,
        oversized_message_gets_an_error,
        half_messages_wait_and_end,
        calls_in_a_row_are_answered_in_order,
        a_client_that_does_not_read_stops_nobody,
        more_clients_than_allowed_are_turned_away,
        descriptors_from_clients_are_not_kept,
        screenshot_brings_a_sealed_memfd,
        descriptor_exhaustion_is_survived,
    ])
