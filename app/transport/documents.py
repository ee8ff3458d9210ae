"""Which document a request means: its text, a trusted one, or one that was sent before with its hash."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping

from graphql_compiled.engine import Engine, PreparedOperation, RequestError

from app.errors import BadInput, PersistedQueryNotFound, PersistedQueryNotSupported, TooComplex, Untrusted
from app.structured_log import get_logger
from app.transport.parameters import Parameters, Reference
from app.transport.trusted_documents import operation_names

log = get_logger(__name__)
UTF8_BYTES = 4  # of a character, at most
MAX_PERSISTED_CHARS = 16_384  # a longer document is sent whole each time


class Documents:
    """Prepares the documents of requests.

    `trusted` are the texts of the manifests by id. If `only_trusted`, no other document is accepted. `max_bytes` limits
    a document before it is parsed: the parser reads some 4 MB a second, and blanks are no tokens.
    """

    def __init__(
        self, engine: Engine, *, trusted: Mapping[str, str], only_trusted: bool, max_bytes: int, cache_size: int
    ) -> None:
        self._engine, self._trusted, self._max_bytes = engine, trusted, max_bytes
        self._only = frozenset(trusted.values()) if only_trusted else None
        self._persisted = PersistedQueries(cache_size)
        self._check_trusted()

    def prepare(self, parameters: Parameters) -> PreparedOperation:
        """The operation to run. Raises RequestError, and Refused if there is no such document or it is not allowed."""
        reference = parameters.reference
        if reference is None:
            return self._prepare(parameters.query, parameters.operation_name)
        text = self._text(reference, parameters.query)
        prepared = self._prepare(text, parameters.operation_name)
        if parameters.query and reference.id is not None:
            self._persisted.keep(reference.id, text)
        return prepared

    def _prepare(self, text: str, operation_name: str | None) -> PreparedOperation:
        if self._only is not None and text not in self._only:
            raise Untrusted("Only the documents of known clients are accepted, and this is none of them.")
        # The first comparison is for speed: most documents are far shorter.
        if len(text) * UTF8_BYTES > self._max_bytes < (size := len(text.encode("utf-8", "replace"))):
            raise TooComplex(f"The document has {size:,} bytes; {self._max_bytes:,} are allowed.")
        return self._engine.prepare(text, operation_name)

    def _text(self, reference: Reference, query: str) -> str:
        if reference.id is None:
            raise PersistedQueryNotSupported("PersistedQueryNotSupported")
        known = self._trusted.get(reference.id) or self._persisted.get(reference.id)
        if query:
            if query != known and sha256(query) != reference.id:
                raise BadInput("provided sha does not match query")
            return query
        if known is not None:
            return known
        if reference.automatic:
            raise PersistedQueryNotFound("PersistedQueryNotFound")
        raise BadInput("There is no document with this documentId.")

    def _check_trusted(self) -> None:
        """Logs the trusted documents that the schema or a limit refuses.

        They do not stop the server: a manifest may be newer or older than the schema.
        """
        for document, text in self._trusted.items():
            try:
                self._prepare(text, operation_names(text)[0])
            except (RequestError, TooComplex) as refused:
                log.warning("trusted_document_refused", document=document, reason=str(refused))


class PersistedQueries:
    """Documents by their hash: at most `size`, those used last. A client sends the text of any other document again."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._texts: OrderedDict[str, str] = OrderedDict()

    def get(self, digest: str) -> str | None:
        """The document with this hash, if it is kept."""
        text = self._texts.get(digest)
        if text is not None:
            self._texts.move_to_end(digest)
        return text

    def keep(self, digest: str, text: str) -> None:
        """Keeps a document that was found valid."""
        if len(text) <= MAX_PERSISTED_CHARS:
            self._texts[digest] = text
            if len(self._texts) > self._size:
                self._texts.popitem(last=False)


def sha256(text: str) -> str:
    """The SHA-256 of a document's source text, in lower-case hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
