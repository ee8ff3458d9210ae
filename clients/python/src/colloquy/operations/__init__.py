"""The operations of the API, one module a noun: each function returns an `Operation`, and is a method of both clients.

- Every mutation takes an `idempotency_key`: with the same key the server applies it once and returns the same result.
- An argument left UNSET is not sent, and its field stays as it is. None clears a field that may be empty.
- A page function takes `first` and `after`, or `last` and `before`, as the schema does; cursors come from a page's
  `info`. `filter` is the schema's filter type of the noun, as keyword arguments in snake_case.
- Every method raises a ColloquyError for what the server refuses; a docstring names those of its own.
"""
