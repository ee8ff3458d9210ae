"""Documents of message producers: read into text, blocks and token usage. `raw` itself is stored unchanged.

`reader.read` is the entry. A message format is one module with a `MessageFormat`, and one line in `reader.FORMATS`.
"""
