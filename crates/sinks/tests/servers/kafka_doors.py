"""Doors to brokers: TCP servers that pass everything on."""

import socket
import threading


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
