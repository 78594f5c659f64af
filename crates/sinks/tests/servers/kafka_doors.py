"""Doors to brokers. `open` passes everything on. `guard` is a door to each of several brokers that
wants TLS with a client's certificate and a log-in (SASL PLAIN, SCRAM-SHA-256 or -512), answers these
itself, and names the doors in place of the brokers wherever a broker names them."""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import threading

USER, PASSWORD = "me,=", "secret"
SASL_HANDSHAKE, SASL_AUTHENTICATE, METADATA = 17, 36, 3
UNSUPPORTED, FAILED = 33, 58
HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


def open(address, broker):
    """Passes what comes to `address` on to `broker`."""
    listener = socket.create_server(place(address))
    threading.Thread(target=accept, args=(listener, broker), daemon=True).start()


def place(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


def accept(listener, broker):
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(place(broker))
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=pump, args=(source, sink), daemon=True).start()


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def guard(brokers, folder):
    """Addresses of doors to `brokers`; `folder` has certificates."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{folder}/ca.pem")
    context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in brokers]
    ports = {place(broker)[1]: door.getsockname()[1] for broker, door in zip(brokers, doors)}
    for broker, door in zip(brokers, doors):
        arguments = (door, broker, context, ports)
        threading.Thread(target=admit, args=arguments, daemon=True).start()
    return [f"127.0.0.1:{door.getsockname()[1]}" for door in doors]


def admit(door, broker, context, ports):
    while True:
        client, _ = door.accept()
        arguments = (client, broker, context, ports)
        threading.Thread(target=converse, args=arguments, daemon=True).start()


def converse(client, broker, context, ports):
    try:
        client = context.wrap_socket(client, server_side=True)
        server = socket.create_connection(place(broker))
        login = Login()
        while frame := receive(client):
            key, _version, correlation, length = struct.unpack(">hhih", frame[:10])
            body = frame[10 + max(length, 0) :]
            if key == SASL_HANDSHAKE:
                answer = struct.pack(">i", correlation) + login.handshake(body)
            elif key == SASL_AUTHENTICATE:
                answer = struct.pack(">i", correlation) + login.authenticate(body)
            elif not login.done:
                return
            else:
                server.sendall(struct.pack(">i", len(frame)) + frame)
                answer = receive(server)
                if key == METADATA:
                    for ours, theirs in ports.items():
                        answer = answer.replace(struct.pack(">i", ours), struct.pack(">i", theirs))
            client.sendall(struct.pack(">i", len(answer)) + answer)
    except (OSError, ssl.SSLError):
        pass
    finally:
        client.close()


def receive(stream):
    head = exactly(stream, 4)
    return exactly(stream, struct.unpack(">i", head)[0]) if head else None


def exactly(stream, length):
    data = b""
    while len(data) < length:
        piece = stream.recv(length - len(data))
        if not piece:
            return None
        data += piece
    return data


class Login:
    """The server's side of one log-in."""

    def __init__(self):
        self.done, self.mechanism, self.first = False, None, None

    def handshake(self, body):
        mechanism = body[2:].decode()
        known = ["PLAIN", *HASHES]
        self.mechanism = mechanism if mechanism in known else None
        code = 0 if self.mechanism else UNSUPPORTED
        names = b"".join(struct.pack(">h", len(name)) + name.encode() for name in known)
        return struct.pack(">hi", code, len(known)) + names

    def authenticate(self, body):
        said = body[4:].decode()
        try:
            answer = self.plain(said) if self.mechanism == "PLAIN" else self.scram(said)
            return struct.pack(">hhi", 0, -1, len(answer)) + answer.encode()
        except (AssertionError, ValueError, KeyError):
            reason = b"Authentication failed"
            return struct.pack(">hh", FAILED, len(reason)) + reason + struct.pack(">i", 0)

    def plain(self, said):
        assert said == f"\0{USER}\0{PASSWORD}"
        self.done = True
        return ""

    def scram(self, said):
        name = HASHES[self.mechanism]
        mac = lambda key, text: hmac.new(key, text, name).digest()
        if self.first is None:
            assert said.startswith("n,,")
            self.bare = said[3:]
            fields = dict(field.split("=", 1) for field in self.bare.split(","))
            assert fields["n"] == USER.replace("=", "=3D").replace(",", "=2C")
            self.nonce = fields["r"] + base64.b64encode(os.urandom(9)).decode()
            self.salt = os.urandom(16)
            salt = base64.b64encode(self.salt).decode()
            self.first = f"r={self.nonce},s={salt},i=8192"
            return self.first
        unproven, proof = said.rsplit(",p=", 1)
        assert unproven == f"c=biws,r={self.nonce}"
        salted = hashlib.pbkdf2_hmac(name, PASSWORD.encode(), self.salt, 8192)
        stored = hashlib.new(name, mac(salted, b"Client Key")).digest()
        text = f"{self.bare},{self.first},{unproven}".encode()
        signature = mac(stored, text)
        key = bytes(left ^ right for left, right in zip(base64.b64decode(proof), signature))
        assert hashlib.new(name, key).digest() == stored
        self.done = True
        verdict = mac(mac(salted, b"Server Key"), text)
        return f"v={base64.b64encode(verdict).decode()}"
