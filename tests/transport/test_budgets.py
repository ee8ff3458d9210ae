"""Budgets over every protocol: what an operation costs, what is left, and that a refused operation has no effect."""

import json
import re
from typing import Any

import pytest

from app.auth import mint
from app.transport import Budgets, OperationCosts, ProcessSpending
from tests.transport.sample_server import ALLOWED_ORIGIN, SETTINGS, Server, serving
from tests.transport.transport_schema import Resolvers, build_sample_schema

LIMIT, SECONDS = 100, 3600
ADD = "mutation { add }"
THINGS = "query ($n: Int) { things(first: $n) { nodes { id } } }"


def budgets(limit: int = LIMIT) -> Budgets:
    costs = OperationCosts(build_sample_schema(Resolvers()))
    return Budgets(ProcessSpending(limit, SECONDS), costs, limit=limit, seconds=SECONDS)


@pytest.fixture
async def charging():
    """A server on which each owner may spend 100 in an hour."""
    async with serving(budgets=budgets()) as running:
        yield running


def headers_of(owner: str) -> dict[str, str]:
    return {"authorization": f"Bearer {mint(SETTINGS, sub=owner, ttl_seconds=3600)}"}


async def spend(server: Server, cost: int, **headers: str) -> None:
    """Spends exactly `cost`, at least 2."""
    answer = await server.post(
        {"query": THINGS.replace("id }", "id " * (cost - 2) + "}"), "variables": {"n": 1}}, **headers
    )
    assert answer.json()["extensions"]["budget"]["cost"] == cost


async def test_a_response_shows_what_it_cost_and_what_is_left(charging: Server):
    first = await charging.post({"query": "{ping}"})
    budget = first.json()["extensions"]["budget"]
    assert (budget["cost"], budget["remaining"]) == (1, 99)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", budget["resetAt"])
    assert first.headers["ratelimit-policy"] == '"cost";q=100;w=3600'
    r, t = re.fullmatch(r'"cost";r=(\d+);t=(\d+)', first.headers["ratelimit"]).groups()
    assert int(r) == 99
    assert SECONDS < int(t) <= SECONDS + SECONDS / 30 + 1
    assert "retry-after" not in first.headers
    second = await charging.get(query="{ping}")
    assert second.json()["extensions"]["budget"]["remaining"] == 98


async def test_an_operation_costs_its_page_size_times_what_is_selected(charging: Server):
    for variables, cost in [({"n": 3}, 7), ({"n": 3}, 7), ({"n": 10}, 21), ({"n": 20}, 41)]:
        answer = await charging.post({"query": THINGS, "variables": variables})
        assert answer.json()["extensions"]["budget"]["cost"] == cost


async def test_an_operation_above_the_budget_is_refused_without_effect(charging: Server):
    await spend(charging, 100)
    refused = await charging.post({"query": ADD})
    assert refused.status_code == 429
    [error] = refused.json()["errors"]
    extensions = error["extensions"]
    assert extensions["code"] == "RATE_LIMITED"
    assert extensions["retryAfter"] == int(refused.headers["retry-after"])
    assert SECONDS < extensions["retryAfter"] <= SECONDS + SECONDS / 30 + 1
    assert (extensions["budget"]["cost"], extensions["budget"]["remaining"]) == (1, 0)
    assert refused.headers["ratelimit"] == f'"cost";r=0;t={extensions["retryAfter"]}'
    assert charging.resolvers.total == 0
    assert charging.observed[-1][:2] == ("mutation", "RATE_LIMITED")


async def test_a_refused_operation_costs_nothing(charging: Server):
    await spend(charging, 60)
    for _ in range(3):
        assert (await charging.post({"query": THINGS})).status_code == 429
    await spend(charging, 40)


async def test_one_owner_never_spends_anothers_budget(charging: Server):
    await spend(charging, 100)
    assert (await charging.post({"query": "{ping}"})).status_code == 429
    stranger = await charging.post({"query": "{ping}"}, **headers_of("bob"))
    assert stranger.json()["extensions"]["budget"]["remaining"] == 99


async def test_get_requests_spend_and_are_refused(charging: Server):
    await spend(charging, 99)
    assert (await charging.get(query="{ping}")).status_code == 200
    assert (await charging.get(query="{ping}")).status_code == 429


async def test_a_page_of_another_origin_can_read_what_is_left(charging: Server):
    answer = await charging.post({"query": "{ping}"}, origin=ALLOWED_ORIGIN)
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(exposed)


async def test_each_operation_of_a_socket_spends(charging: Server):
    await spend(charging, 98)
    async with charging.ready() as socket:
        await socket.subscribe("{ping}")
        assert (await socket.next())["payload"]["extensions"]["budget"]["remaining"] == 1
        await socket.until("complete")
        await socket.subscribe("subscription{count(to:5)}")
        counted = [await socket.next() for _ in range(5)]
        assert [frame["payload"] for frame in counted] == [{"data": {"count": n}} for n in range(1, 6)]
        await socket.until("complete")
        for query in (ADD, "subscription{count(to:1)}"):
            await socket.subscribe(query)
            frame = await socket.next()
            assert frame["type"] == "error"
            assert frame["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
            assert frame["payload"][0]["extensions"]["retryAfter"] > 0
    assert (charging.resolvers.total, charging.resolvers.open) == (0, 0)


async def test_an_event_stream_spends_when_it_starts(charging: Server):
    await spend(charging, 98)
    async with charging.stream("{ping}") as stream:
        [answer, _] = [event async for event in stream]
    assert answer.data["extensions"]["budget"]["remaining"] == 1
    async with charging.stream("subscription{count(to:3)}") as stream:
        assert [event.kind async for event in stream] == ["next"] * 3 + ["complete"]
    for request in (ADD, "subscription{count(to:1)}"):
        async with charging.stream(request) as stream:
            [refused, _] = [event async for event in stream]
        assert refused.data["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert charging.resolvers.total == 0


async def test_a_request_that_is_not_valid_is_not_charged(charging: Server):
    for query in ("{", "{nope}"):
        answer = await charging.post({"query": query})
        assert "ratelimit" not in answer.headers
    assert (await charging.query("{ping}"))["extensions"]["budget"]["remaining"] == 99


async def test_an_operation_above_max_cost_is_too_complex_and_not_refused_by_its_budget():
    async with serving(budgets=budgets(limit=25_000)) as server:
        deep = "query ($n: Int) { things(first: $n) { nodes { things(first: $n) { nodes { things(first: 100) { nodes { id } } } } } } }"
        answer = await server.query(deep, n=100)
        assert answer["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"


async def test_without_budgets_a_response_shows_none(server: Server):
    answer = await server.post({"query": "{ping}"})
    assert answer.json() == {"data": {"ping": "pong"}}
    assert not {"ratelimit", "ratelimit-policy"} & set(answer.headers)


def test_costs_are_kept_for_as_long_as_the_operation():
    schema: Any = build_sample_schema(Resolvers())
    from app.transport import DocumentLimits, Engine
    from tests.transport.sample_server import LIMITS

    engine = Engine(schema, inspect=DocumentLimits(LIMITS), max_tokens=2000, cache_size=4)
    costs = OperationCosts(schema)
    prepared = engine.prepare(THINGS)
    assert [costs.cost(prepared, json.loads(text)) for text in ('{"n": 7}', '{"n": 700}', '{"n": -1}')] == [15, 201, 3]
    assert len(costs) == 1
    del prepared
    assert len(costs) == 0
