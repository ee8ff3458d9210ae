"""Concurrent appends in one session: its lock assigns the sequences, so none is missing and none comes twice."""

import asyncio
from collections import Counter
from itertools import groupby

from tests.support.users import error

WRITERS = 32
KEYED = "message { sequence key text agent { key } }"


async def together(*writers):
    """All results, of writers that run concurrently."""
    return await asyncio.gather(*writers)


async def sequences(user, session):
    """The sequences of all messages, in order, and the session's `messageCount`."""
    found, after = [], None
    while True:
        page = await user.sees(session, f"messageCount messages(first: 100, after: {quoted(after)}) {PAGE}")
        found += [message["sequence"] for message in page["messages"]["nodes"]]
        after = page["messages"]["pageInfo"]["endCursor"]
        if not page["messages"]["pageInfo"]["hasNextPage"]:
            return found, page["messageCount"]


def quoted(cursor):
    return f'"{cursor}"' if cursor else "null"


PAGE = "{ nodes { sequence } pageInfo { hasNextPage endCursor } }"


async def test_concurrent_appends_get_every_sequence_once(ann):
    session = await ann.creates_session()
    answers = await together(*(ann.appends(session, f"{writer}") for writer in range(WRITERS) for _ in range(3)))
    assert sorted(answer["sequence"] for answer in answers) == list(range(1, 3 * WRITERS + 1))
    assert await sequences(ann, session) == (list(range(1, 3 * WRITERS + 1)), 3 * WRITERS)


async def test_concurrent_writes_of_every_kind_leave_every_sequence_once(ann):
    """Single appends and batches, with and without keys, with new agents, and edits and deletions between them."""
    session = await ann.creates_session()
    role = {"role": "ASSISTANT"}

    async def write(writer):
        await ann.appends(session, "plain")
        await ann.appends(session, "keyed", key=f"k{writer}", agentKey=f"agent {writer % 5}")
        batch = [role | {"text": f"{n}", "agentKey": f"agent {n + writer % 3}", "key": f"{writer}"} for n in range(4)]
        payload = await ann.does("appendMessages", "messages { id sequence }", sessionId=session, messages=batch)
        assert payload["errors"] == []
        [one, other, *_] = payload["messages"]
        assert (await ann.does("updateMessage", id=one["id"], text="edited"))["errors"] == []
        assert (await ann.does("deleteMessage", id=other["id"]))["errors"] == []
        return [message["sequence"] for message in payload["messages"]]

    batches = await together(*(write(writer) for writer in range(WRITERS)))
    assert all(batch == list(range(batch[0], batch[0] + 4)) for batch in batches)
    gone = {batch[1] for batch in batches}
    living = [number for number in range(1, 6 * WRITERS + 1) if number not in gone]
    assert await sequences(ann, session) == (living, 5 * WRITERS)


async def test_two_owners_with_the_same_session_key_have_sequences_of_their_own(ann, bob):
    hers, his = await ann.creates_session(key="same"), await bob.creates_session(key="same")
    both = ((user, session) for user, session in ((ann, hers), (bob, his)) for _ in range(WRITERS // 2))
    await together(*(user.appends(session, "x") for user, session in both))
    for user, session in ((ann, hers), (bob, his)):
        assert await sequences(user, session) == (list(range(1, WRITERS // 2 + 1)), WRITERS // 2)


async def test_of_appends_that_expect_one_sequence_exactly_one_is_stored(ann):
    session = await ann.creates_session()
    for head in range(5):
        message = {"role": "USER", "text": f"after {head}"}
        payloads = await together(
            *(
                ann.does(
                    "appendMessage", "message { sequence }", sessionId=session, message=message, expectedSequence=head
                )
                for _ in range(8)
            )
        )
        outcomes = Counter("stored" if not payload["errors"] else payload["errors"][0]["code"] for payload in payloads)
        assert outcomes == {"stored": 1, "CONFLICT": 7}


async def test_concurrent_duplicates_with_one_key_are_one_message(ann):
    session = await ann.creates_session()
    message = {"role": "USER", "text": "only once"}

    async def send(key, agent):
        keyed = message | {"key": key, "agentKey": agent}
        payload = await ann.does("appendMessage", KEYED, sessionId=session, message=keyed)
        assert payload["errors"] == []
        return payload["message"]

    duplicates = [(key, agent) for key in ("a", "b", "c") for agent in (None, "guide") for _ in range(8)]
    answers = sorted(
        await together(*(send(*duplicate) for duplicate in duplicates)), key=lambda message: message["sequence"]
    )
    by_sequence = [list(group) for _, group in groupby(answers, key=lambda message: message["sequence"])]
    assert [len(group) for group in by_sequence] == [8] * 6
    assert all(message == group[0] for group in by_sequence for message in group)
    assert await sequences(ann, session) == (list(range(1, 7)), 6)


async def test_of_messages_with_one_key_and_different_texts_one_is_stored(ann):
    session = await ann.creates_session()
    answers = await together(*(ann.appends(session, f"version {n}", key="one") for n in range(WRITERS)))
    [stored] = [answer for answer in answers if "text" in answer]
    refused = [answer for answer in answers if "text" not in answer]
    assert refused == [error("CONFLICT", field="message.key")] * (WRITERS - 1)
    assert (await ann.sees(session, "messages { nodes { sequence text } }"))["messages"]["nodes"] == [stored]


async def test_overlapping_batches_store_each_key_once(ann):
    session = await ann.creates_session()

    async def send(start):
        batch = [{"role": "USER", "text": f"{n}", "key": f"{n}"} for n in range(start, start + 10)]
        payload = await ann.does("appendMessages", "messages { key text sequence }", sessionId=session, messages=batch)
        assert payload["errors"] == []
        assert [message["key"] for message in payload["messages"]] == [message["key"] for message in batch]
        return payload["messages"]

    answers = [message for batch in await together(*(send(start) for start in range(16))) for message in batch]
    assert len({(message["key"], message["sequence"]) for message in answers}) == 25
    assert await sequences(ann, session) == (list(range(1, 26)), 25)
