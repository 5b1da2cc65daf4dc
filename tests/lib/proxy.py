# SPDX-License-Identifier: Apache-2.0
"""proxy: a TCP proxy that disturbs, in the manner of toxiproxy.

    proxy = Proxy(5432)               # 127.0.0.1:proxy.port -> 127.0.0.1:5432
    proxy.latency = 0.05              # seconds before each piece goes on, either way
    proxy.bandwidth = 20_000          # bytes a second, each way of each connection; None: no limit
    proxy.cut()                       # resets all connections
    proxy.frozen = True               # half-open: what comes is swallowed, nothing is answered, nobody is told
    proxy.refuse = True               # new connections are reset at once
    proxy.lose(rb"PUT /.*zst", 2)     # the answers to the next two requests that begin so are lost: the request has had its effect

One thread, an event loop; ends with the test.
"""
import asyncio
import re
import socket
import struct
import threading

from harness import at_end

PIECE = 16384


class Proxy:
    def __init__(self, port, host="127.0.0.1"):
        self.target = (host, port)
        self.latency, self.bandwidth, self.frozen, self.refuse = 0.0, None, False, False
        self.bytes, self.accepted = 0, 0  # passed on, and connections taken, so far
        self.lost, self._lose = 0, (b"", 0)
        self._writers = set()
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        at_end(self.stop)

    def _run(self, started):
        asyncio.set_event_loop(self._loop)

        async def listen():
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]
            started.set()

        self._loop.run_until_complete(listen())
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    @staticmethod
    def _reset(writer):
        sock = writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def _accept(self, reader, writer):
        self.accepted += 1
        if self.refuse:
            self._reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            self._reset(writer)
            return
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            doomed = asyncio.Event()
            await asyncio.gather(self._pump(reader, far_writer, asks=doomed), self._pump(far_reader, writer, answers=doomed))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    def lose(self, request, number):
        self._lose = (request, number)

    def _is_to_lose(self, piece):
        request, number = self._lose
        if not number or not re.match(request, piece):
            return False
        self._lose = (request, number - 1)
        return True

    async def _pump(self, reader, writer, asks=None, answers=None):
        while True:
            piece = await reader.read(PIECE if not self.bandwidth else max(1, min(PIECE, self.bandwidth // 20)))
            if self.frozen:
                if not piece:
                    await asyncio.Event().wait()  # nobody is told that the other side went
                continue
            if not piece:
                break
            if asks and self._is_to_lose(piece):
                asks.set()
            if answers and answers.is_set():
                self.lost += 1
                self._reset(writer)
                return
            if self.latency:
                await asyncio.sleep(self.latency)
            if self.bandwidth:
                await asyncio.sleep(len(piece) / self.bandwidth)
            writer.write(piece)
            self.bytes += len(piece)
            await writer.drain()
        # one side has ended: the other is told, and what it still says is passed on
        if writer.can_write_eof():
            writer.write_eof()

    def _in_loop(self, function):
        done = threading.Event()

        def call():
            function()
            done.set()

        self._loop.call_soon_threadsafe(call)
        done.wait()

    def cut(self):
        """Resets every connection, on both sides."""
        self._in_loop(lambda: [self._reset(w) for w in list(self._writers)])

    def stop(self):
        if self._loop.is_running():
            self.cut()
            self._in_loop(self._server.close)
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
