"""Pages of any size partition the connection, also while rows are added."""

import asyncio
from contextlib import asynccontextmanager
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

ROWS, LATER = 14, 6
SIZES = st.lists(st.integers(1, 7), min_size=2, max_size=5)
PAGE = (
    "{ edges { cursor node { name: NAME } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount }"
)
WINDOW = "$first: Int, $after: String, $last: Int, $before: String"
GIVEN = "first: $first, after: $after, last: $last, before: $before"
MESSAGES = (
    f"query ($id: ID!, {WINDOW}) {{ session(id: $id) {{ page: messages({GIVEN}) {PAGE.replace('NAME', 'text')} }} }}"
)
SESSIONS = f"""query ({WINDOW}, $direction: OrderDirection!) {{
  page: sessions({GIVEN}, orderBy: {{field: CREATED_AT, direction: $direction}}) {PAGE.replace("NAME", "title")} }}"""
quick = settings(max_examples=settings().max_examples // 4)


class Messages:
    """The messages of a session, as pages."""

    def __init__(self, user):
        self.user = user

    async def begins(self):
        self.session = await self.user.creates_session("x")
        batch = [{"role": "USER", "text": f"{n}"} for n in range(ROWS)]
        await self.user.does("appendMessages", sessionId=self.session, messages=batch)
        return [f"{n}" for n in range(ROWS)]

    async def grows(self):
        await self.user.appends(self.session, "later")

    async def page(self, **window):
        return (await self.user.asks(MESSAGES, id=self.session, **window))["session"]["page"]


class Sessions:
    """The sessions of an owner by time of creation, as pages."""

    def __init__(self, user, direction):
        self.user, self.direction = user, direction

    async def begins(self):
        made = " ".join(f'_{n}: createSession(input: {{title: "{n}"}}) {{ session {{ id }} }}' for n in range(ROWS))
        await self.user.asks(f"mutation {{ {made} }}")
        names = [f"{n}" for n in range(ROWS)]
        return names if self.direction == "ASC" else names[::-1]

    async def grows(self):
        await self.user.creates_session("later")

    async def page(self, **window):
        return (await self.user.asks(SESSIONS, direction=self.direction, **window))["page"]


async def connection_of(server, kind):
    user = server.user(f"reader-{uuid4().hex[:12]}")
    return Messages(user) if kind == "messages" else Sessions(user, kind)


KINDS = st.sampled_from(["messages", "ASC", "DESC"])


@asynccontextmanager
async def growing(connection):
    """Adds rows while the block runs; few enough that a reader with small pages reaches the end."""

    async def grow():
        for _ in range(LATER):
            await connection.grows()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(grow())
        yield


async def walk(connection, sizes, *, forward, after=None, before=None):
    """The names of the nodes between two cursors, in the order of the connection, read page by page."""
    found, turn = [], 0
    size, start, end, more = ("first", "after", "endCursor", "hasNextPage")
    if not forward:
        size, start, end, more = ("last", "before", "startCursor", "hasPreviousPage")
    window = {"after": after, "before": before}
    while True:
        page = await connection.page(**{size: sizes[turn % len(sizes)]}, **window)
        names = [edge["node"]["name"] for edge in page["edges"]]
        assert len(names) <= sizes[turn % len(sizes)]
        found = found + names if forward else names + found
        if not page["pageInfo"][more]:
            return found
        window[start], turn = page["pageInfo"][end], turn + 1


@quick
@given(kind=KINDS, sizes=SIZES, others=SIZES)
async def test_forward_and_backward_pages_agree_while_rows_are_added(server, kind, sizes, others):
    connection = await connection_of(server, kind)
    there = await connection.begins()
    async with growing(connection):
        forward = await walk(connection, sizes, forward=True)
        backward = await walk(connection, others, forward=False)
    assert [name for name in forward if name != "later"] == there
    assert [name for name in backward if name != "later"] == there


@quick
@given(
    kind=KINDS,
    cuts=st.sets(st.integers(0, ROWS - 1), max_size=5),
    sizes=SIZES,
    forwards=st.lists(st.booleans(), min_size=6, max_size=6),
)
async def test_pages_of_any_size_partition_the_connection(server, kind, cuts, sizes, forwards):
    """Pages between two cursors have the rows between theirs, from either end."""
    connection = await connection_of(server, kind)
    there = await connection.begins()
    edges = (await connection.page(first=100))["edges"]
    places = sorted(cuts)
    cursors = [None, *(edges[place]["cursor"] for place in places), None]
    borders = [-1, *places, ROWS]
    for turn, forward in zip(range(len(cursors) - 1), forwards, strict=False):
        part = await walk(connection, sizes, forward=forward, after=cursors[turn], before=cursors[turn + 1])
        assert part == there[borders[turn] + 1 : borders[turn + 1]]


@quick
@given(
    kind=KINDS,
    size=st.integers(1, 100),
    end=st.sampled_from(["first", "last"]),
    bounds=st.tuples(st.none() | st.integers(0, ROWS - 1), st.none() | st.integers(0, ROWS - 1)),
)
async def test_page_matches_its_page_info(server, kind, size, end, bounds):
    connection = await connection_of(server, kind)
    there = await connection.begins()
    edges = (await connection.page(first=100))["edges"]
    after, before = bounds
    cursor = {None: None} | {place: edge["cursor"] for place, edge in enumerate(edges)}
    page = await connection.page(**{end: size}, after=cursor[after], before=cursor[before])
    between = there[0 if after is None else after + 1 : ROWS if before is None else before]
    wanted = between[:size] if end == "first" else between[max(0, len(between) - size) :]
    assert [edge["node"]["name"] for edge in page["edges"]] == wanted
    assert page["totalCount"] == ROWS
    info = page["pageInfo"]
    assert info["hasNextPage" if end == "first" else "hasPreviousPage"] == (len(between) > size)
    assert info["startCursor"] == (page["edges"][0]["cursor"] if wanted else None)
    assert info["endCursor"] == (page["edges"][-1]["cursor"] if wanted else None)
