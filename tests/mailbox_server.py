"""A mail server on this machine, and Airflow's own SMTP notifier that writes to it."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server on this machine that keeps what it is sent; as much of SMTP as a client needs."""

    daemon_threads = True

    def __init__(self) -> None:
        self.letters: list[str] = []
        super().__init__(("127.0.0.1", 0), self.Talk)

    class Talk(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 ready\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    letter = b"".join(iter(self.rfile.readline, b".\r\n"))
                    self.server.letters.append(read(letter))  # type: ignore[attr-defined]
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")

    @property
    def connection(self) -> str:
        """Airflow's connection to it, as a variable of the environment has it."""
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "dp-stats@agency.example"}
        port = self.server_address[1]
        return json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra})


def read(letter: bytes) -> str:
    """A letter as its reader sees it: to whom, about what, and every part of its text."""
    message = message_from_bytes(letter, policy=default)
    parts = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return "\n".join([f"To: {message['To']}", f"Subject: {message['Subject']}", *parts])


def notifier(to: str) -> str:
    """A list of one notifier that writes letters, as a variable of the environment has it."""
    arguments = {"to": to, "smtp_conn_id": "smtp"}
    return json.dumps([{"class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "arguments": arguments}])


@contextmanager
def opened() -> Iterator[Mailbox]:
    """A running mail server."""
    with Mailbox() as box:
        threading.Thread(target=box.serve_forever, daemon=True).start()
        yield box
        box.shutdown()
