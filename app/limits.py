"""Limits of the public API that no setting changes: clients may rely on them.

Lengths count Unicode code points. What an operator may change is in `app/settings`.
"""

DEFAULT_PAGE_SIZE = 50
"""Nodes on a page of a connection without `first` and `last`."""
MAX_PAGE_SIZE = 100
"""The largest `first` or `last` of a connection."""
MAX_BATCH = 100
"""Messages in one `appendMessages`, ids in one `nodes(ids:)`."""
MAX_NAME_LENGTH = 255
"""The longest key, name, title, type or role."""
MAX_NOTE_LENGTH = 10_000
"""The longest description of an agent and the longest note of an approval."""
MAX_SKILLS = 100
"""Skills of one agent."""
MAX_TEXT_LENGTH = 1_000_000
"""The longest text of one message."""
MAX_BLOCKS = 5_000
"""Blocks of one message; of a document with more, the last block is the whole document."""
MAX_PARTS = 5_000
"""Messages, and parts, that are read of one document; of a document with more, the last block is the whole document."""
MAX_DENSE_PARTS = 500
"""The same of a document that has more than 50,000 lists and objects in less than 20 characters each."""
MAX_PARSED_INPUTS = 500
"""Inputs of tools that are JSON texts, and are parsed, of one document; more of them stay texts."""
MAX_TOKENS = 2**31 - 1
"""The largest count of tokens of one message."""
MAX_QUERY_LENGTH = 1_000
"""The longest text to search for."""
MAX_SNIPPET_LENGTH = 400
"""The longest snippet of a search result."""
MAX_NAMESPACE_LABELS = 20
"""Labels of the namespace of a record."""
MAX_RECORD_PATH_BYTES = 1_500
"""Namespace and key of a record together, in UTF-8; an index of PostgreSQL holds them beside the owner."""
MAX_TTL_SECONDS = 10 * 365 * 86_400
"""The longest life of a record that expires."""
MAX_TOMBSTONE_DAYS = 30
"""The longest time for which the name of a deleted live record is stored, and a cursor of `viewerEvents` is valid."""
MAX_KEY_LENGTH = 255
"""The longest idempotency key."""
