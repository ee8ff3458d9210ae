"""Search: messages are found by their words, by their owner only, and never after deletion or redaction."""

from unicodedata import normalize

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from sqlalchemy import select

from app.db import search
from app.db.access.statement import Statement
from app.db.reading.rows import FoundRow
from harness.postgres import dsn
from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.users import Refusal

SEARCH = """
query ($words: String!, $first: Int, $after: String, $last: Int, $before: String, $filter: MessageSearchFilter) {
  searchMessages(query: $words, first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    totalCount
    pageInfo { hasNextPage hasPreviousPage endCursor startCursor }
    edges { cursor rank snippet { text matched } node { text } }
  }
}
"""
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["own_rows", "index", "recent", "recent, then index"])
def access(request, monkeypatch):
    """How the matches are read: "index" as for an owner of many messages, "recent" as for a word in most of them, and
    both as for a word that is only in most of the very newest.
    """
    if request.param != "own_rows":
        monkeypatch.setattr(search, "MAX_FEW_MESSAGES", -1)
    if request.param.startswith("recent"):
        monkeypatch.setattr(search, "_common_from", lambda _: 0)
    if request.param == "recent":
        monkeypatch.setattr(search, "ENOUGH", 0)


async def finds(user, query, **wanted):
    """The texts of the matching messages, the best match first."""
    found = (await user.asks(SEARCH, words=query, **wanted))["searchMessages"]
    return [edge["node"]["text"] for edge in found["edges"]]


async def creates_messages(user, *texts, **fields):
    """The id of a session with a message for each text."""
    session = await user.creates_session("Talk", **fields)
    for text in texts:
        await user.appends(session, text)
    return session


@pytest.fixture
def three_examined(monkeypatch):
    """The page of the most recent messages reads three messages, as if these were 120,000."""
    ranked = search._ranked(search._with_number(search._recent(3, search.MAX_RANKED)))
    element = search._relevance(ranked).page(select(*ranked.c, search._lexemes), False)
    page, original = Statement("test_search.page", "The same of few messages.", element, FoundRow), search._page
    monkeypatch.setattr(search, "_page", lambda access, back: page if access == "recent" else original(access, back))
    monkeypatch.setattr(search, "MAX_FEW_MESSAGES", -1)


@pytest.mark.usefixtures("three_examined")
async def test_a_word_that_too_few_of_the_newest_messages_have_is_found_in_all(ann, bob, monkeypatch):
    texts = [f"The samovar {number}" for number in range(5)]
    await creates_messages(ann, *texts)
    await creates_messages(bob, "My samovar")
    monkeypatch.setattr(search, "_common_from", lambda _: 2)
    assert sorted(await finds(ann, "samovar")) == texts
    monkeypatch.setattr(search, "ENOUGH", 3)
    assert sorted(await finds(ann, "samovar")) == texts[2:]
    assert await finds(bob, "samovar") == ["My samovar"]


@given(messages=some.integers(0, 10**9))
def test_the_more_messages_there_are_the_rarer_is_a_word_for_which_the_newest_are_read(messages):
    of_so_many, of_more = search._common_from(messages), search._common_from(2 * messages)
    assert search.COMMON_FROM <= of_more <= of_so_many <= search.COMMON_AT_MOST
    in_index = search.COST_OF_MATCH * messages * of_so_many / search.PROBED
    if search.COMMON_FROM < of_so_many < search.COMMON_AT_MOST:
        assert in_index == pytest.approx(search.MAX_RANKED * search.PROBED / of_so_many, rel=0.06)


@pytest.mark.usefixtures("access")
async def test_only_the_owner_finds_messages(ann, bob):
    await creates_messages(ann, "The samovar is hot", "Nothing here")
    await creates_messages(bob, "My samovar is cold")
    assert await finds(ann, "samovar") == ["The samovar is hot"]
    assert await finds(bob, "samovar") == ["My samovar is cold"]


@pytest.mark.usefixtures("access")
async def test_all_words_must_match_and_the_last_is_a_prefix(ann):
    await creates_messages(ann, "a red kettle", "a red cup", "a blue kettle", "red-hot tea", "write to tea@pot.example")
    assert await finds(ann, "red ket") == ["a red kettle"]
    assert await finds(ann, "ket red") == []
    assert sorted(await finds(ann, "KETTLE")) == ["a blue kettle", "a red kettle"]
    assert await finds(ann, "red-ho") == ["red-hot tea"]
    assert await finds(ann, "tea@pot.ex") == ["write to tea@pot.example"]
    assert await finds(ann, "!?") == []


@pytest.mark.parametrize("query", ["", "   ", "\t\n", "x" * 1001])
async def test_query_without_words_or_too_long_is_refused(ann, query):
    with pytest.raises(Refusal, match=r"query (needs|takes)") as refusal:
        await finds(ann, query)
    assert refusal.value.code == "BAD_USER_INPUT"


@given(query=some.text(min_size=1).filter(str.strip))
@example(query="tea & !cup | (pot:*) <-> 'x' \\ \\' ''")
@example(query="\0tea")
@example(query="'")
@example(query="\\")
@example(query="@")
@example(query="a/b.c?d=e#f <b>tea</b> &amp; 1e400 -1 ::tsquery")
@example(query="x" * 1000)
@example(query="İ" * 1000)
@example(query="\U0001f600" * 1000)
@example(query="a-" * 500)
@MANY
async def test_any_text_is_a_valid_query(ann, query):
    await finds(ann, query)


@given(text=some.text(min_size=1))
@example(text="İ" * 5_000)
@example(text="\u1e9e" * 2_000)
@example(text="x" * 1_000_000)
@MANY
async def test_any_message_is_found_by_its_own_words(ann, text):
    session = await ann.creates_session()
    text = text.replace("\0", "")
    await ann.appends(session, f"{text} zwieback")
    if len(text) < 10_000:
        found = await ann.asks(SEARCH, words="zwieback", filter={"sessionId": session})
        [edge] = found["searchMessages"]["edges"]
        assert edge["node"]["text"] == f"{text} zwieback"
        assert [part["text"] for part in edge["snippet"] if part["matched"]][-1:] in (["zwieback"], [])


PARTS = (
    "see https://user@docs.example.org:8443/install/main.py?id=1234#top, mail jane.doe@mail.example, C:\\temp\\a_b-c"
)


@pytest.mark.parametrize(
    "query",
    [
        *("main.py", "py", "install", "1234", "8443", "docs", "example.org", "top", "top mai", "INSTALL/MAIN"),
        *("doe", "jane.doe", "mail.example", "temp", "a_b", "b-c", "C:\\temp", "https", PARTS),
    ],
)
async def test_parts_of_words_are_found(ann, bob, query):
    await creates_messages(ann, PARTS, "main and py, docs or example")
    assert PARTS in await finds(ann, query)
    assert await finds(bob, query) == []


@pytest.mark.usefixtures("access")
async def test_joined_parts_follow_one_another(ann):
    await creates_messages(ann, "main.py runs", "py and main", "version 1.2.3 of -5", "12.3")
    assert await finds(ann, "main.py") == ["main.py runs"]
    assert sorted(await finds(ann, "main py")) == ["main.py runs", "py and main"]
    assert await finds(ann, "1.2.3") == await finds(ann, "5") == ["version 1.2.3 of -5"]


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("我们明天去东京都旅行。", ["明天", "东京", "东京都", "旅行", "我们", "明天 旅行"]),
        ("東京都でコーヒーを飲む", ["東京都", "コーヒー", "飲む", "ｺｰﾋｰ", "京都"]),
        ("한국어 검색은 쉽다", ["한국", "국어", "검색", "검색은", "한국어 쉽다"]),
        ("ภาษาไทยไม่มีช่องว่าง", ["ภาษา", "ไทย", "ช่องว่าง", "ไทยไม่มี"]),
        ("Pythonで検索を書くv2", ["Python", "pyth", "検索", "Pythonで検索", "検索 python", "v2", "書くv2"]),
    ],
)
async def test_scripts_without_spaces_are_found_from_two_characters_on(ann, bob, text, queries):
    await creates_messages(ann, text, "東に京がある")
    await creates_messages(bob, text)
    for query in queries:
        assert await finds(ann, query) == [text]
    assert await finds(ann, "東京検索") == []


@pytest.mark.parametrize("text", ["Café Ångström", "Cafe\u0301 A\u030angstro\u0308m", "ＣＡＦÉ ÅNGSTRÖM"])
@pytest.mark.parametrize("query", ["café", "cafe\u0301", "ÅNG", "a\u030angstro\u0308m"])
async def test_composed_and_decomposed_letters_are_equal(ann, text, query):
    await creates_messages(ann, text)
    [edge] = (await ann.asks(SEARCH, words=query))["searchMessages"]["edges"]
    assert edge["node"]["text"] == text
    assert "".join(part["text"] for part in edge["snippet"]) == text
    first, second = text.split()
    assert [part["text"] for part in edge["snippet"] if part["matched"]] == [first if query[0] == "c" else second]


LETTERS = some.characters(categories=("L", "Nd"), max_codepoint=0x2FFFF)


@given(words=some.lists(some.text(LETTERS, min_size=2, max_size=8), min_size=1, max_size=5), data=some.data())
@MANY
async def test_every_run_of_letters_is_found_by_the_owner_alone(ann, bob, words, data):
    separators = some.sampled_from([" ", "/", ".", "-", "_", "@", ":", "#", "\\", "\n", "…", "—"])
    text = "".join(word + data.draw(separators) for word in words)
    session = await creates_messages(ann, text)
    word = data.draw(some.sampled_from(words))
    form = data.draw(some.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
    for query in (word, normalize(form, word), text):
        assert await finds(ann, query, filter={"sessionId": session}) == [text]
        assert await finds(bob, query) == []
    [edge] = (await ann.asks(SEARCH, words=word, filter={"sessionId": session}))["searchMessages"]["edges"]
    assert "".join(part["text"] for part in edge["snippet"]) == text
    assert any(part["matched"] for part in edge["snippet"])


async def test_snippet_consists_of_plain_text_parts(ann):
    await creates_messages(ann, "<b>bold</b> StartSel=& tea " + "and so on " * 50)
    [edge] = (await ann.asks(SEARCH, words="tea"))["searchMessages"]["edges"]
    assert [part for part in edge["snippet"] if part["matched"]] == [{"text": "tea", "matched": True}]
    assert len("".join(part["text"] for part in edge["snippet"])) <= 400
    assert 0 < edge["rank"] < 1


@pytest.mark.usefixtures("access")
async def test_pages_from_both_ends_are_complete(ann):
    await creates_messages(ann, *(f"number {n} " + "tea " * (n % 4) for n in range(11)))
    whole = (await ann.asks(SEARCH, words="number", first=100))["searchMessages"]
    texts = [edge["node"]["text"] for edge in whole["edges"]]
    assert (len(texts), whole["totalCount"]) == (11, 11)
    ranks = [edge["rank"] for edge in whole["edges"]]
    assert ranks == sorted(ranks, reverse=True)

    forward, after = [], None
    for _ in range(4):
        page = (await ann.asks(SEARCH, words="number", first=3, after=after))["searchMessages"]
        forward += [edge["node"]["text"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    backward, before = [], None
    for _ in range(3):
        page = (await ann.asks(SEARCH, words="number", last=4, before=before))["searchMessages"]
        backward = [edge["node"]["text"] for edge in page["edges"]] + backward
        before = page["pageInfo"]["startCursor"]
    assert forward == backward == texts


async def test_better_match_comes_first(ann):
    await creates_messages(ann, "tea", "tea tea tea", "tea tea")
    assert await finds(ann, "tea") == ["tea tea tea", "tea tea", "tea"]


@pytest.mark.parametrize("cursor", ["", "r.x", "r.nan.00000000-0000-0000-0000-000000000001.1", "m.1"])
async def test_cursor_of_another_connection_is_refused(ann, cursor):
    with pytest.raises(Refusal, match="not a cursor of this connection"):
        await finds(ann, "tea", after=cursor)


@pytest.mark.usefixtures("access")
async def test_filters_restrict_the_search(ann):
    talk = await creates_messages(ann, "tea one", agentType="cook")
    other = await creates_messages(ann, "tea two")
    await ann.appends(other, "tea three", role="ASSISTANT")
    assert await finds(ann, "tea", filter={"sessionId": talk}) == ["tea one"]
    assert await finds(ann, "tea", filter={"sessionId": "nonsense"}) == []
    assert await finds(ann, "tea", filter={"agentType": "cook"}) == ["tea one"]
    assert await finds(ann, "tea", filter={"role": ["ASSISTANT", "TOOL"]}) == ["tea three"]
    [stored] = (await ann.sees(talk, "messages { nodes { createdAt } }"))["messages"]["nodes"]
    assert len(await finds(ann, "tea", filter={"since": stored["createdAt"]})) == 3
    assert await finds(ann, "tea", filter={"until": stored["createdAt"]}) == []


@pytest.mark.usefixtures("access")
async def test_changed_message_is_found_by_its_new_words_only(ann):
    session = await creates_messages(ann, "old words", "secret words", "unwanted words")
    await ann.does("updateMessage", id=f"msg_{session[4:]}_1", text="new words")
    await ann.does("redactMessage", id=f"msg_{session[4:]}_2", text="[gone]")
    await ann.does("deleteMessage", id=f"msg_{session[4:]}_3")
    assert await finds(ann, "words") == ["new words"]
    assert [await finds(ann, word) for word in ("old", "secret", "unwanted")] == [[], [], []]
    assert await finds(ann, "gone") == ["[gone]"]


@pytest.mark.usefixtures("access")
async def test_deleted_session_is_found_only_after_it_is_restored(ann):
    session = await creates_messages(ann, "hidden tea")
    await ann.does("deleteSession", id=session)
    assert await finds(ann, "tea") == []
    await ann.does("restoreSession", id=session)
    assert await finds(ann, "tea") == ["hidden tea"]
    await ann.does("deleteSession", id=session, mode="HARD")
    assert await finds(ann, "tea") == []


async def test_messages_with_raw_and_from_batches_are_found(ann):
    session = await ann.creates_session("Talk")
    raw = '{"role": "assistant", "content": [{"text": "tea in a document"}, {"toolUse": {"name": "cup"}}]}'
    messages = [{"role": "ASSISTANT", "raw": raw}, {"role": "USER", "text": "tea in a batch"}]
    await ann.does("appendMessages", sessionId=session, messages=messages)
    assert sorted(await finds(ann, "tea")) == ["tea in a batch", "tea in a document"]
    assert await finds(ann, "cup") == []


@pytest.mark.usefixtures("access")
async def test_only_the_newest_matches_are_ranked(ann, database_url):
    session = await creates_messages(ann, "common tea")
    connection = await asyncpg.connect(dsn(database_url))
    await connection.execute(
        "INSERT INTO messages (owner_id, session_id, sequence, role, text, metadata, created_revision, revision,"
        " created_at, tsv) SELECT owner_id, session_id, n, role, 'common', '{}', n + 9, n + 9,"
        " created_at + n * interval '1 second', tsv FROM messages, generate_series(2, 2001) n WHERE owner_id = $1",
        ann.name,
    )
    await connection.execute(
        "UPDATE sessions SET last_sequence = 2001, message_count = 2001, head = 2010 WHERE owner_id = $1", ann.name
    )
    await connection.close()
    found = (await ann.asks(SEARCH, words="common", filter={"sessionId": session}))["searchMessages"]
    assert found["totalCount"] == 2_000
    assert "common tea" not in await finds(ann, "common", last=100)


async def test_search_configuration_is_a_setting(fresh_database):
    url = await fresh_database()
    async with serving(settings_for(url, search_config="english", search_text_limit=20)) as english:
        carl = english.user("carl")
        session = await creates_messages(carl, "She was running fast", "far away behind twenty letters lies tea")
        assert await finds(carl, "runs") == ["She was running fast"]
        assert await finds(carl, "tea") == []
        assert await finds(carl, "the") == []  # a stop word
        await carl.does("updateMessage", id=f"msg_{session[4:]}_2", text="tea")
        assert await finds(carl, "tea") == ["tea"]
        assert (await english.http.get(f"{english.url}/readyz")).status_code == 200
    async with serving(settings_for(url, search_config="klingon")) as klingon:
        answer = await klingon.http.get(f"{klingon.url}/readyz")
        assert answer.status_code == 503
        assert any("klingon" in reason for reason in answer.json()["reasons"])


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"{chr(0x20000 + n)} " for n in range(32_768)),
        "-".join(chr(0x20000 + n) for n in range(32_768)),
        "".join(f"http://{chr(97 + n % 26)}{n}.example/{n}?{n}={n} " for n in range(2_000)),
        "\U00020000" * 65_536,
        "".join(chr(0x20000 + n) for n in range(65_536)),
        "".join(f"{chr(0x20000 + n)}\ufdfa" for n in range(32_768)),
        "".join(f"{chr(0x4E00 + n % 20_000)}{chr(0x20000 + n)}" for n in range(32_768)),
    ],
)
async def test_largest_text_limit_can_be_indexed(fresh_database, text):
    async with serving(settings_for(await fresh_database(), search_text_limit=65_536)) as server:
        carl = server.user("carl")
        session = await carl.creates_session("Talk")
        assert (await carl.appends(session, text))["sequence"] == 1
