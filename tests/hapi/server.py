# SPDX-License-Identifier: Apache-2.0
"""A HAPI server of a test, and a small FHIR client to write to it."""

import http.client
import pathlib
import shutil
import subprocess
import urllib.parse

from fhirjson import dumps, loads

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "services" / "hapi"


class Server:
    """HAPI in its own folder, with a copy of `database`; whoever starts it stops it."""

    def __init__(self, folder, database=None, knobs=()):
        self.folder = pathlib.Path(folder)
        self.knobs = list(knobs)
        self.url = None
        self.port = "0"
        (self.folder / "h2").mkdir(parents=True)
        if database:
            shutil.copyfile(database, self.folder / "h2" / "hapi.mv.db")

    def start(self):
        """Starts, or starts again on the same port. Takes a minute or more."""
        line = subprocess.run(
            [SCRIPT, "start", "--dir", self.folder, "--port", self.port, "--", *self.knobs],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout
        self.url = dict(word.split("=", 1) for word in line.split())["url"]
        self.port = str(urllib.parse.urlsplit(self.url).port)

    def stop(self, *how):
        """Does nothing when it does not run. `how`: --now (kill -9), --compact (the database)."""
        subprocess.run([SCRIPT, "stop", "--dir", self.folder, *how], check=True)

    def client(self):
        return Client(self.url)


class Client:
    """One connection to a FHIR server. Anything but success is an AssertionError with the server's answer."""

    def __init__(self, url):
        self.base = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(self.base.hostname, self.base.port, timeout=600)

    def request(self, method, path, resource=None):
        body = dumps(resource).encode() if resource is not None else None
        headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json", "Cache-Control": "no-cache"}
        self.connection.request(method, f"{self.base.path}{path}", body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert 200 <= answer.status < 300, f"{method} {path}: {answer.status} {text[:2000].decode(errors='replace')}"
        return loads(text) if text else None

    def put(self, resource):
        """Writes one resource; returns it as the server keeps it."""
        return self.request("PUT", f"/{resource['resourceType']}/{resource['id']}", resource)

    def read(self, kind, resource_id):
        return self.request("GET", f"/{kind}/{resource_id}")

    def delete(self, kind, resource_id):
        return self.request("DELETE", f"/{kind}/{resource_id}")

    def put_all(self, resources):
        """One transaction. Returns (versionId, lastUpdated) of each."""
        bundle = {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {"resource": r, "request": {"method": "PUT", "url": f"{r['resourceType']}/{r['id']}"}} for r in resources
            ],
        }
        answers = [entry["response"] for entry in self.request("POST", "", bundle)["entry"]]
        assert len(answers) == len(resources)
        return [(a["etag"].removeprefix('W/"').removesuffix('"'), a["lastModified"]) for a in answers]
