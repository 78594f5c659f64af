"""Servers of protocols over TCP alone: Riemann and a Wavefront proxy.

`vendors.py KIND ADDRESS [FOLDER]` prints its address; with a FOLDER of certificates it wants TLS with
a client's. Each line of its input is answered with what it holds,
as JSON: [[seconds, value], …] in the order in which it came.

The first connection is read and then torn down without an answer; the second is refused."""

import json
import re
import socket
import ssl
import struct
import sys
import threading

held = []
lock = threading.Lock()


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, value) of each field of a protobuf message."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            length, at = {1: (8, at), 5: (4, at)}.get(tag & 7) or varint(data, at)
            value, at = data[at : at + length], at + length
        yield tag >> 3, value


def exactly(connection, length):
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def riemann(connection, number):
    """Source: Riemann's proto; every event is taken, whether it came before or not."""
    while True:
        (length,) = struct.unpack(">I", exactly(connection, 4))
        message = exactly(connection, length)
        if number == 2:
            answer = b"\x10\x00\x1a\x04busy"
        else:
            for kind, event in fields(message):
                assert kind == 6, kind
                event = dict(fields(event))
                assert event[3] and event[4] and 8 in event, event
                zigzag = event[13]
                held.append([event[1], (zigzag >> 1) ^ -(zigzag & 1)])
            answer = b"\x10\x01"
        if number == 1:
            return
        connection.sendall(struct.pack(">I", len(answer)) + answer)


LINE = re.compile(r'([A-Za-z0-9._/-]+) (-?[0-9.]+) ([0-9]+) source="([^"]+)"((?: [^ =]+="[^"]*")*) ?')
seen = set()


def wavefront(connection, number):
    """Source: Wavefront's data format; a point is its name, tags and time."""
    if number == 2:
        return
    data = b""
    while piece := connection.recv(65536):
        data += piece
    for line in data.decode().splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        name, value, seconds, source, tags = match.groups()
        if (name, seconds, source, tags) not in seen:
            seen.add((name, seconds, source, tags))
            held.append([int(seconds), float(value)])


def serve(listener, speak, context):
    number = 0
    while True:
        connection, _ = listener.accept()
        number += 1
        with lock:
            try:
                connection = context.wrap_socket(connection, True) if context else connection
            except OSError:
                # A stranger; the connection is closed.
                continue
            try:
                speak(connection, number)
            except EOFError:
                pass
            if number <= 2:
                # A reset instead of an orderly end.
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()


if __name__ == "__main__":
    host, port = sys.argv[2].rsplit(":", 1)
    listener = socket.create_server((host, int(port)))
    speak = {"riemann": riemann, "wavefront": wavefront}[sys.argv[1]]
    context = None
    if len(sys.argv) > 3:
        folder = sys.argv[3]
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{folder}/ca.pem")
        context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
        context.verify_mode = ssl.CERT_REQUIRED
    threading.Thread(target=serve, args=(listener, speak, context), daemon=True).start()
    print(f"{host}:{listener.getsockname()[1]}", flush=True)
    for _ in sys.stdin:
        with lock:
            print(json.dumps(held), flush=True)
