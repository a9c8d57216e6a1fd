import re
from typing import Any

from prometheus_client import REGISTRY

from deploy import ports
from tests.unit.docs.reading import code, import_everything, page, rows, section


def registered() -> dict[str, tuple[str, tuple[str, ...]]]:
    import_everything()
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for collector in set(REGISTRY._names_to_collectors.values()):
        metric: Any = collector
        name = getattr(metric, "_name", "")
        if name.startswith("todoku_"):
            found[name + ("_total" if metric._type == "counter" else "")] = (metric._type, metric._labelnames)
    return found


def test_every_metric_is_described_with_its_type_and_labels_and_no_other() -> None:
    described = {
        code(name): (kind, tuple(code(label) for label in labels.split(", ") if label))
        for name, kind, labels, _ in (row for row in rows(page("reference/metrics.md")) if len(row) == 4)
        if name.startswith("`todoku_")
    }
    assert described == registered()


def test_metrics_that_other_pages_name_exist() -> None:
    known = registered()
    for name in ("how-to/read-the-metrics.md", "how-to/use-a-relay.md"):
        named = set(re.findall(r"\btodoku_[a-z_]+", page(name)))
        assert {metric.removesuffix("_bucket") for metric in named} <= known.keys()


def test_the_metrics_ports_are_those_of_the_reference() -> None:
    table = rows(section(page("reference/files-and-ports.md"), "Ports"))
    offsets = {row[0]: row[1] for row in table if len(row) == 3}
    for process in ("api", "tracker", "scheduler", "mailbox", "pages", "inbound"):
        assert offsets[process] == str(ports.metrics_port(9400, process) - 9400)
    for pool, last in (("bulk", 255), ("fast", 9), ("jobs", 9)):
        first = ports.worker_metrics_port(9400, pool, 0) - 9400
        assert offsets[f"worker of the pool `{pool}`, slot 0 to {last}"] == f"{first} + slot"
        assert ports.worker_metrics_port(9400, pool, last) == 9400 + first + last
