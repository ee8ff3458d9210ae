"""Streaming texts: the text consists of the accepted pieces, for any order and repetition of calls."""

from dataclasses import dataclass
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.streaming import FENCED, cancels, ended, ends_at, extends, finishes, reads, starts

PIECES = st.text(st.sampled_from("ab é👋🏽\u0301\U0001f0a1"), max_size=5)
ACTS = st.one_of(
    st.tuples(st.just("goes on"), PIECES),
    st.tuples(st.just("again"), st.integers(0, 12), st.integers(0, 12)),
    st.tuples(st.just("overlaps"), st.integers(1, 4), PIECES),
    st.tuples(st.just("leaves a hole"), st.integers(1, 4), PIECES),
    st.tuples(st.just("is late"), PIECES),
    st.tuples(st.just("comes back")),
    st.tuples(st.just("appends")),
)
ENDS = st.sampled_from(["COMPLETE", "FAILED", "CANCELLED", "deleted"])


@dataclass
class Model:
    """The expected state of a streaming message."""

    text: str = ""

    def extend(self, offset, text):
        """What must be answered; then it is done."""
        length = len(self.text)
        if offset == length:
            self.text += text
        elif offset + len(text) > length or self.text[offset : offset + len(text)] != text:
            return ends_at(length)
        return None


async def act(user, session, writings, model, what, *more):
    """One call of a producer, with the result that the model expects."""
    length, newest = len(model.text), writings[-1]
    match what:
        case "goes on":
            [text] = more
            assert await extends(user, newest, length, text) == model.extend(length, text)
        case "again":
            start, size = more
            start = min(start, length)
            assert await extends(user, newest, start, model.text[start : start + size]) is None
        case "overlaps" | "leaves a hole":
            step, text = more
            offset = max(0, length - step) if what == "overlaps" else length + step
            assert await extends(user, newest, offset, text) == model.extend(offset, text)
        case "is late":
            if len(writings) > 1:
                assert await extends(user, writings[0], length, more[0]) == FENCED
        case "comes back":
            writings.append(await starts(user, session, key="k"))
        case "appends":
            await user.appends(session, "beside it")


async def end(user, writing, how):
    """Ends the message in this way; returns its status."""
    if how == "CANCELLED":
        return (await cancels(user, writing))[0]
    if how == "deleted":
        await user.does("deleteMessage", id=writing.message)
        return None
    return (await finishes(user, writing, status=how))[0]


@settings(max_examples=settings().max_examples // 2)
@given(acts=st.lists(ACTS, min_size=1, max_size=14), how=ENDS)
async def test_text_consists_of_the_accepted_pieces_for_every_reader(server, acts, how):
    ann = server.user(f"writer-{uuid4().hex[:12]}")
    session, model = await ann.creates_session(status="ACTIVE"), Model()
    writings = [await starts(ann, session, key="k")]
    before = (await ann.sees(session, "eventCursor"))["eventCursor"]
    for what, *more in acts:
        await act(ann, session, writings, model, what, *more)
        assert await reads(ann, writings[-1]) == ("STREAMING", model.text)
    status = await end(ann, writings[-1], how)
    events = [event for event in await ann.replays(session, before) if writings[0].message in str(event)]
    if how == "deleted":
        assert [event["__typename"] for event in events] == ["MessageRemoved"]
        assert await reads(ann, writings[-1]) is None
        return
    assert status == how
    assert await reads(ann, writings[-1]) == (how, model.text)
    assert [event["message"]["text"] for event in events] == [model.text]
    assert await extends(ann, writings[-1], len(model.text), "x") == ended(how)
