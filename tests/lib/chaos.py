# SPDX-License-Identifier: Apache-2.0
"""chaos: processes that are killed at random instants while the people of their source change; and what is there afterwards."""
from same import *

PATIENTS, SCALE = 30, 20


def source(*args, **more):
    """The same people each time; a sandbox of one's own has a request log of one's own."""
    return Sandbox("--observations-scale", SCALE, "--max-page", 15, *args, **{"patients": PATIENTS, **more})


def changed(sandbox, rng):
    churn(sandbox, seed=rng.randrange(1 << 30), changed=rng.choice((0, 10, 100)), deleted=rng.choice((0, 5, 20)), added=rng.choice((0, 20)),
          moved=rng.choice((0, 60)), moved_in=rng.choice((0, 200)))


def equals_a_fresh_load(world):
    fresh = World(world.source)
    fresh.ingest()
    world.ends_like(tables(fresh.database, live=True), live=True)


class Chaos:
    """One sandbox whose people change, one world whose processes are killed. `rng` decides everything."""

    def __init__(self, rng):
        self.rng = rng
        self.sandbox = source(seed=rng.randrange(1, 1000))
        self.world = World(self.sandbox)
        self.kills = 0

    def kill_later(self, *processes):
        """Kills each at an instant of its own: after so many more requests, as the source's log tells, and a little."""
        for process in processes:
            mark, wanted = log_mark(self.sandbox), self.rng.choice((0, 1, 3, 10, 30, 60, 100))
            wait_for(lambda: log_mark(self.sandbox) >= mark + wanted or not process.alive() or self.world.run()[1] in ("completed", None),
                     "so many requests", every=0.005)
            time.sleep(self.rng.random() * 0.05)  # anywhere between two requests
            if process.alive():
                process.send(signal.SIGKILL)
                self.kills += 1
            process.wait()

    def by_ingest(self):
        self.kill_later(self.world.start())

    def by_two(self):
        self.kill_later(self.world.start(), self.world.start())

    def by_serve(self):
        serve = Serve(env=self.world.env, binary=crash_binary())
        answer = request("POST", serve.url + "/zipcodes", {"zipcode": ZIP})
        true(answer.status in (200, 202), f"POST /zipcodes: {answer}")
        self.kill_later(serve)

    def kill_one(self):
        """Starts something and kills it; what had landed before is not fetched again."""
        run, landed, mark = self.world.run()[0], landed_before(self.world), log_mark(self.sandbox)
        self.rng.choice((self.by_ingest, self.by_two, self.by_serve))()
        if run and run == self.world.run()[0]:
            not_fetched_again(requests_since(self.sandbox, mark), landed)

    def round(self, incremental):
        if incremental:
            changed(self.sandbox, self.rng)
        for _ in range(self.rng.choice((1, 2, 3))):
            self.kill_one()
        self.world.ingest()
        # a run that began before something changed does not know of it: one more does
        self.world.ingest()
        equals_a_fresh_load(self.world)
