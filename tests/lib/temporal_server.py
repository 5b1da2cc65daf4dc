# SPDX-License-Identifier: Apache-2.0
"""temporal_server: real Temporal servers for suites, and the server's own client."""
from harness import *


def service(name, directory, *more):
    done = command(ROOT / "tools/services/temporal", name, "--dir", directory, *more, env={"FHIRLINE_CACHE": CACHE})
    equal(done.code, 0, f"temporal {name}: {done}")
    return done.out.strip()


class Server:
    """A server of one's own, to be stopped and started."""

    def __init__(self, *more):
        self.directory = folder(of_fhirline=False)
        self.address = None
        at_end(self.stop, "--kill")
        self.start(*more)

    def start(self, *more):
        """Again on the port it had: workers know no other."""
        address = service("start", self.directory, *more)
        equal(address, self.address or address, "the server's address")
        self.address = address

    def stop(self, *more):
        service("stop", self.directory, *more)

    def cli(self, *args, code=0):
        """Temporal's own client."""
        done = command(ROOT / "tools/services/temporal", "cli", *args, "--address", self.address, env={"FHIRLINE_CACHE": CACHE})
        if code is not None:
            equal(done.code, code, f"temporal {args}: {done}")
        return done.out

    def history(self, workflow_id, run_id=None):
        """The events of a workflow's run, as its JSON has them."""
        return json.loads(self.cli("workflow", "show", "-w", workflow_id, *(["-r", run_id] if run_id else []), "-o", "json"))["events"]

    def status(self, workflow_id):
        return json.loads(self.cli("workflow", "describe", "-w", workflow_id, "-o", "json"))["workflowExecutionInfo"]["status"].removeprefix(
            "WORKFLOW_EXECUTION_STATUS_").lower()

    def runs(self, workflow_id):
        """Its runs, oldest first: (run id, events, bytes)."""
        listed = json.loads(self.cli("workflow", "list", "-q", f"WorkflowId = '{workflow_id}'", "-o", "json") or "[]")
        return [(w["execution"]["runId"], int(w.get("historyLength", 0)), int(w.get("historySizeBytes", 0)))
                for w in sorted(listed, key=lambda w: w["startTime"])]
