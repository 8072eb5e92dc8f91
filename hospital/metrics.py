"""Prometheus metrics of `cxr pacs`. No label comes from a file."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from hospital.spool import FOLDERS, Spool

_WAITING: Final = tuple(name for name in FOLDERS if name not in ("tmp", "done"))


class Metrics:
    """The metrics, in a separate registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.received = self._counter("received", "Radiographs that were accepted.")
        self.turned_away = self._counter(
            "turned_away", "Radiographs rejected because the spool or its disk was full (0xA700)."
        )
        self.rejected = self._counter("rejected_associations", "Associations that were not accepted.")
        self.answered = self._counter("answered", "Radiographs that the service answered.")
        self.refused = self._counter("refused", "Radiographs that the service refused.")
        self.postponed = self._counter("postponed", "Times that the service could not answer yet.")
        self.sent = self._counter("sent", "Results that the archive accepted.")
        self.send_failures = self._counter("send_failures", "Failed attempts to send a result.")

    def watch(self, spool: Spool) -> None:
        """Report the contents of a spool at every scrape."""
        entries = Gauge("cxr_pacs_spool_entries", "Entries by folder of the spool.", ["folder"], registry=self.registry)
        for folder in _WAITING:
            entries.labels(folder).set_function(lambda folder=folder: spool.count(folder))  # type: ignore[misc]
        self._gauge("spool_bytes", "Bytes of waiting radiographs and results.").set_function(spool.bytes_waiting)
        self._gauge("spool_oldest_seconds", "Seconds that the oldest entry has waited.").set_function(spool.oldest_s)

    def serve(self, host: str, port: int) -> None:
        """Answer /metrics from now on."""
        start_http_server(port, host, self.registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"cxr_pacs_{name}", text, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"cxr_pacs_{name}", text, registry=self.registry)
