"""What goes out on a connection: one packet for what is written together."""

import asyncio

from lehr_service.protocol import JoinedWrites


class Wire:
    """A transport that notes what it is told."""

    def __init__(self):
        self.told = []

    def write(self, data):
        self.told.append(data)

    def close(self):
        self.told.append("closed")

    def is_closing(self):
        return False


def test_what_is_written_in_one_turn_is_sent_at_once():
    async def answer():
        wire = Wire()
        joined = JoinedWrites(wire, asyncio.get_running_loop())
        joined.write(b"head ")
        joined.write(b"body")
        assert wire.told == []
        await asyncio.sleep(0)
        joined.write(b"next")
        await asyncio.sleep(0)
        return wire.told, joined.is_closing()

    assert asyncio.run(answer()) == ([b"head body", b"next"], False)


def test_nothing_is_lost_where_a_connection_closes():
    async def refuse():
        wire = Wire()
        joined = JoinedWrites(wire, asyncio.get_running_loop())
        joined.write(b"too large")
        joined.close()
        await asyncio.sleep(0)
        return wire.told

    assert asyncio.run(refuse()) == [b"too large", "closed"]
