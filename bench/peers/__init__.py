"""The other Python servers, as an experienced hand would write them; their Node neighbours lie in `node/`."""
