"""An SMTP server that keeps each mail as a pair of files in a directory.

Arguments: the directory, the port on loopback, and for STARTTLS with a login the certificate, its key, a name and a
password. The file `open` appears once the port is open. Recipients whose name begins with `refused` get a
permanent error, those with `later` a temporary one.
"""

import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

directory, port, *secured = sys.argv[1:]


def store(name, content):
    """A reader sees the whole file or none."""
    partial = os.path.join(directory, name + ".partial")
    with open(partial, "wb") as file:
        file.write(content)
    os.rename(partial, os.path.join(directory, name))


class Catcher:
    caught = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("later"):
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        number = self.caught = self.caught + 1
        outside = {"from": envelope.mail_from, "to": envelope.rcpt_tos}
        store(f"{number:06}.json", json.dumps(outside).encode())
        store(f"{number:06}.eml", envelope.original_content)
        return "250 OK"


def settings():
    if not secured:
        return {}
    certificate, key, name, password = secured
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def login(server, session, envelope, mechanism, given):
        right = (given.login, given.password) == (name.encode(), password.encode())
        # Unless it is told that the refusal isn't handled, the server leaves the answer to this function.
        return AuthResult(success=right, handled=right)

    return {
        "tls_context": context,
        "require_starttls": True,
        "auth_required": True,
        "authenticator": login,
    }


async def main():
    catcher = Catcher()
    # A server that is started again in the same directory goes on counting.
    catcher.caught = sum(name.endswith(".eml") for name in os.listdir(directory))
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(catcher, hostname="localhost", **settings()), "127.0.0.1", int(port)
    )
    store("open", b"")
    await server.serve_forever()


asyncio.run(main())
