"""How pytest-xdist shares the tests out: by module, and all that ask the live server as one: it starts once."""

from functools import cache

from xdist.scheduler import LoadFileScheduling

from scripts.server import REPOSITORY

FIXTURES = ("server: Server", "open_page: Open")


class ByModule(LoadFileScheduling):  # type: ignore[misc]
    """`--dist loadfile`, whose largest parts come first, with one part of all tests of the session's server.

    A fixture of the session is made in each process that wants it, and a server takes half a minute of a core.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "the server" if _asks_the_server(file) else file


@cache
def _asks_the_server(file: str) -> bool:
    source = (REPOSITORY / file).read_text(encoding="utf-8")
    return any(fixture in source for fixture in FIXTURES)
