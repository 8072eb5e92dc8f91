"""How pytest-xdist distributes the tests: by module, but all modules that use the live server together."""

from functools import cache

from xdist.scheduler import LoadFileScheduling

from scripts.server import REPOSITORY

FIXTURES = ("server: Server", "open_page: Open")


class ByModule(LoadFileScheduling):  # type: ignore[misc]
    """`--dist loadfile`, with one group for all tests that use the session's server. The largest groups come first.

    Each process creates its own session fixtures, and a server takes half a minute of a core to start.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "the server" if _asks_the_server(file) else file


@cache
def _asks_the_server(file: str) -> bool:
    source = (REPOSITORY / file).read_text(encoding="utf-8")
    return any(fixture in source for fixture in FIXTURES)
