# SPDX-License-Identifier: Apache-2.0
"""s3: an S3 server of its own for a test, and a client of it that owes fhirline nothing."""
import datetime
import hashlib
import hmac
import json
import subprocess
import urllib.parse
import xml.etree.ElementTree as ElementTree

from harness import *


def service(name, *args):
    done = subprocess.run([ROOT / "tools/services" / name, *args], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    if done.returncode:
        raise Failed(f"tools/services/{name} {args[0]}: exit {done.returncode}")
    return done.stdout.strip()


class Server:
    """`minio` or `seaweedfs`; env has the settings with which fhirline lands there."""

    def __init__(self, name, directory=None, tls=False):
        self.name, self.directory, self.options = name, directory or folder(of_fhirline=False), ["--tls"] if tls else []
        at_end(self.stop)
        self.start()
        lines = (self.directory / "env").read_text().splitlines()
        self.env = dict(line.split("=", 1) for line in lines)
        self.url = self.env["AWS_ENDPOINT_URL_S3"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.client = Client(self.url, self.env["AWS_ACCESS_KEY_ID"], self.env["AWS_SECRET_ACCESS_KEY"])

    def start(self):
        service(self.name, "start", "--dir", self.directory, *self.options)

    def unfinished(self):
        """Multipart uploads that are neither completed nor aborted. MinIO lists those of one whole name only; on its disk all are seen."""
        if self.name == "minio":
            return [str(p) for p in (self.directory / "data/.minio.sys/multipart").glob("*/*") if p.is_dir()]
        return self.client.uploads()

    def stop(self, *how):
        service(self.name, "stop", "--dir", self.directory, *how)


class Client:
    """Signature Version 4 by hand: requests to one server."""

    def __init__(self, url, key, secret, service="s3"):
        self.url, self.key, self.secret, self.service = url, key, secret, service

    def sign(self, method, path, query, headers, body):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/us-east-1/{self.service}/aws4_request"
        headers |= {"host": urllib.parse.urlsplit(self.url).netloc, "x-amz-date": now, "x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
        names = ";".join(sorted(headers))
        canonical = "\n".join([method, path, query, *(f"{k}:{headers[k]}" for k in sorted(headers)), "", names, headers["x-amz-content-sha256"]])
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return headers

    def call(self, method, key="", query=None, body=b"", bucket="fhirline", headers=None):
        path = urllib.parse.quote(f"/{bucket}/{key}" if bucket else "/", safe="/-_.~")
        text = "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}" for k, v in sorted((query or {}).items()))
        return request(method, f"{self.url}{path}?{text}", body, self.sign(method, path, text, dict(headers or {}), body))

    def get(self, key):
        answer = self.call("GET", key)
        equal(answer.status, 200, f"GET {key}")
        return answer.body

    def _pages(self, item, query, after):
        while True:
            answer = self.call("GET", query=query)
            equal(answer.status, 200, f"list: {answer}")
            root = ElementTree.fromstring(answer.body)
            for e in root.iter():
                e.tag = e.tag.rpartition("}")[2]
            yield from root.iter(item)
            if root.findtext("IsTruncated") != "true":
                return
            query |= {parameter: root.findtext(element) for parameter, element in after.items()}

    def keys(self, prefix=""):
        return [e.findtext("Key") for e in self._pages("Contents", {"list-type": "2", "prefix": prefix},
                                                       {"continuation-token": "NextContinuationToken"})]

    def uploads(self, prefix=""):
        return [e.findtext("Key") for e in self._pages("Upload", {"uploads": "", "prefix": prefix},
                                                       {"key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker"})]

    def session(self, policy):
        """Keys for an hour that may do what `policy` says: settings for fhirline. MinIO alone."""
        form = urllib.parse.urlencode({"Action": "AssumeRole", "Version": "2011-06-15", "DurationSeconds": "3600", "Policy": json.dumps(policy)})
        sts = Client(self.url, self.key, self.secret, "sts")
        answer = sts.call("POST", bucket="", body=form.encode(), headers={"content-type": "application/x-www-form-urlencoded"})
        equal(answer.status, 200, f"AssumeRole: {answer}")
        found = {e.tag.rpartition("}")[2]: e.text for e in ElementTree.fromstring(answer.body).iter()}
        return {"AWS_ACCESS_KEY_ID": found["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
                "AWS_SESSION_TOKEN": found["SessionToken"]}


def allowed(*actions):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": ["arn:aws:s3:::*"]}]}
