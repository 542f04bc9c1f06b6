"""A small proxy that serves a service below a path, as nginx does: it strips the path or passes it on."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from urllib.parse import urlsplit

_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def prefix_proxy(address: str, prefix: str, *, is_stripped: bool = True) -> Iterator[str]:
    """Run the proxy for the block.

    Each connection carries one request, WebSockets included; other paths than the prefix's are not found.

    Args:
        address: Address of the service.
        prefix: Path to serve it below, such as ``/serkit``.
        is_stripped: Whether the path is removed from requests.

    Yields:
        Address of the proxy, without the path.
    """
    target = urlsplit(address)

    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65_536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(65_536)
                if not piece:
                    return
                head += piece
            method, path, rest = head.split(b" ", 2)
            if not path.startswith(f"{prefix}/".encode()):
                client.sendall(_NOT_FOUND)
                return
            path = path[len(prefix) :] if is_stripped else path
            if b"upgrade: websocket" not in rest.lower():
                rest = rest.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            with socket.create_connection((str(target.hostname), int(target.port or 80))) as server:
                server.sendall(b" ".join([method, path, rest]))
                Thread(target=pass_on, args=(client, server), daemon=True).start()
                pass_on(server, client)

    def accept() -> None:
        with suppress(OSError):
            while True:
                Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # ends accept()
