"""The number of allowed connections depends on file descriptors."""

import resource

import pytest

from service.bento.connections import FOR_PROBES, LEAST, MOST, SPARE_DESCRIPTORS, Connections


class Connection:
    evicted = False

    def evict(self) -> None:
        self.evicted = True


@pytest.mark.parametrize(
    ("limit", "room"),
    [
        (resource.RLIM_INFINITY if resource.RLIM_INFINITY > 0 else 2**31, MOST),
        (64, 64 - 20 - SPARE_DESCRIPTORS),
        (8, LEAST),
    ],
)
def test_there_is_room_for_as_many_as_descriptors_allow(monkeypatch: pytest.MonkeyPatch, limit: int, room: int) -> None:
    monkeypatch.setattr("service.bento.connections.resource.getrlimit", lambda _: (limit, limit))
    monkeypatch.setattr("service.bento.connections.os.listdir", lambda _: ["descriptor"] * 20)
    assert Connections().capacity() == room


def test_busy_connections_are_never_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connections, "capacity", lambda _: FOR_PROBES + 1)
    connections = Connections()
    busy, waiting = Connection(), Connection()
    connections.add(busy)
    assert connections.admit(busy, probe=False)
    connections.add(waiting)
    assert not connections.admit(waiting, probe=False)
    probes = [Connection() for _ in range(FOR_PROBES)]
    for probe in probes:
        connections.add(probe)
        assert connections.admit(probe, probe=True)
    assert waiting.evicted
    assert not any(connection.evicted for connection in (busy, *probes))


def test_evicted_connections_no_longer_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connections, "capacity", lambda _: 1)
    connections = Connections()
    first, second = Connection(), Connection()
    connections.add(first)
    connections.add(second)
    connections.wait(first, known=True)  # a late callback of the evicted connection
    connections.remove(first)
    connections.remove(second)
    assert len(connections) == 0
