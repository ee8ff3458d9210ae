"""The dashboard and the alert rules of deploy/, against the scrape of a running server and with Prometheus' own tool."""

import json
import re
import subprocess
from pathlib import Path

import promql_parser as promql
import pytest
import yaml

from harness.programs import program
from harness.server_settings import settings_for
from tests.support.promql import problems, scrape_of, selectors
from tests.support.servers import serving

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/colloquy.json").read_text())
RULES_FILE, TESTS_FILE = (ROOT / "deploy/prometheus" / f"colloquy.{kind}.yaml" for kind in ("rules", "test"))
ALERTS = [rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel, target) for panel in PANELS for target in panel["targets"]]
LEGEND_LABELS = re.compile(r"\{\{(\w+)\}\}")
WITHOUT_PANEL = {"colloquy_wakeup_seconds_sum", "colloquy_wakeup_seconds_count"} | {
    "colloquy_request_seconds_sum",
    "colloquy_request_seconds_count",
}


@pytest.fixture(scope="module")
async def scrape(fresh_database):
    """The scrape of a server after some traffic of an owner and a stranger."""
    settings = settings_for(await fresh_database(), slow_statement_seconds=1e-6)
    async with serving(settings) as server:
        ann, bob = server.user("ann"), server.user("bob")
        session = await ann.creates_session("Seen")
        async with ann.follows(session) as events:
            await events.until("CaughtUp")
            await ann.appends(session, "hello")
            await events.until("MessageAdded")
            for user in (ann, bob, ann):
                await user.sees(session, "messages(last: 1) { nodes { text } }")
            await ann.responds("{ nothing }")
            yield scrape_of((await server.http.get(f"{server.url}/metrics")).text)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[0]["title"])
def test_every_panel_queries_what_the_server_exports(scrape, target):
    panel, query = target
    assert problems(query["expr"], scrape) == []
    known = {"job", "instance"}.union(*(scrape[name] for name in metrics_of(query["expr"])))
    assert set(LEGEND_LABELS.findall(query["legendFormat"])) <= known
    assert {"title", "type", "gridPos", "datasource"} <= panel.keys()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_queries_what_the_server_exports(scrape, alert):
    assert problems(alert["expr"], scrape) == []
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert f"`{alert['alert']}`" in (ROOT / "docs/observability.md").read_text()


def test_every_metric_of_the_server_has_a_panel(scrape):
    shown = {name for _, query in TARGETS for name in metrics_of(query["expr"])}
    ours = {name for name in scrape if name.startswith("colloquy_") and not name.endswith("_created")}
    assert ours - shown == WITHOUT_PANEL


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("sum(rate(colloquy_request_total[5m]))", "there is no metric colloquy_request_total"),
        ("sum by (code) (colloquy_requests_total)", "colloquy_requests_total has no label code"),
        ('1 - colloquy_requests_total{outcome!="FINE"}', "colloquy_requests_total has no outcome 'FINE'"),
        ('max_over_time(colloquy_bus_total{what=~"lost|gone"}[1h:5m])', "colloquy_bus_total has no what 'gone'"),
    ],
)
def test_a_query_of_what_no_server_exports_is_found(scrape, query, problem):
    assert problems(query, scrape) == [problem]


def test_panels_lie_beside_and_below_each_other():
    occupied = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & occupied
        assert at["x"] + at["w"] <= 24
        occupied |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_prometheus_accepts_the_rules_and_each_alert_fires_for_a_sick_server_only():
    for command in (["check", "rules", RULES_FILE], ["test", "rules", TESTS_FILE]):
        done = subprocess.run([program("promtool"), *map(str, command)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    cases = [case for test in yaml.safe_load(TESTS_FILE.read_text())["tests"] for case in test["alert_rule_test"]]
    names = sorted(alert["alert"] for alert in ALERTS)
    assert sorted(case["alertname"] for case in cases if case.get("exp_alerts")) == names
    assert sorted(case["alertname"] for case in cases if not case.get("exp_alerts")) == names


def metrics_of(query):
    """The names of a query's metrics."""
    text = query.replace("$__rate_interval", "5m")
    return {selector.name for selector in selectors(promql.parse(text))}
