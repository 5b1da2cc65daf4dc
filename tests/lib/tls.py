# SPDX-License-Identifier: Apache-2.0
"""tls: certificates, and a proxy that speaks TLS (HTTP/2 by ALPN, client certificates demanded) in front of a server that does not; it
keeps what clients have said."""
import select
import socket
import ssl
import threading

from harness import command, equal


class Authority:
    def __init__(self, directory):
        self.directory = directory
        self.certificate, self.key = directory / "ca.pem", directory / "ca.key"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=test authority", "-keyout", self.key, "-out", self.certificate)

    def openssl(self, *args):
        done = command("openssl", *args)
        equal(done.code, 0, f"openssl: {done}")

    def make(self, name, host, days=2):
        """(certificate, key) for `host`; negative days: expired."""
        certificate, key, request = (self.directory / f"{name}.{end}" for end in ("pem", "key", "csr"))
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{host}\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={host}",
                     "-keyout", key, "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                     "-days", days, "-extfile", extensions, "-out", certificate)
        return certificate, key


class TlsProxy:
    def __init__(self, target, server, clients_ca):
        host, port = target.split(":")
        self.target = host, int(port)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*server)
        self.context.load_verify_locations(clients_ca)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.set_alpn_protocols(["h2"])
        self.connections, self.seen = 0, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            inside = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            with inside, socket.create_connection(self.target) as outside:
                try:
                    inside.do_handshake()
                except ssl.SSLError:
                    self.refuse(inside)
                    return
                inside.setblocking(False)
                while self.turn(inside, outside):
                    pass
        except OSError:
            connection.close()

    @staticmethod
    def refuse(inside):
        """Closed with bytes unread, the connection would be reset and the alert that says why be lost."""
        inside.shutdown(socket.SHUT_WR)
        plain = socket.socket(fileno=inside.detach())
        plain.settimeout(10)
        while plain.recv(65536):
            pass
        plain.close()

    def turn(self, inside, outside):
        """What has come from either side goes to the other. False: one has ended. One thread for both ways: an SSL connection is not for
        two."""
        ready = [inside] if inside.pending() else select.select([inside, outside], [], [])[0]
        if outside in ready:
            data = outside.recv(65536)
            while data:
                try:
                    data = data[inside.send(data):]
                    if not data:
                        break
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    select.select([], [inside], [], 1)
            else:
                return False
        if inside in ready:
            try:
                data = inside.recv(65536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            if not data:
                return False
            self.seen += data
            outside.sendall(data)
        return True

    def stop(self):
        self.listener.close()
