"""What can be asked, once for both clients: each function makes a call and says what the server may refuse.

Every write takes an `idempotency_key`: with the same key the server does it once and answers the same again.
An argument left UNSET stays as it is; None clears it. Whatever is refused raises a ColloquyError.
"""
