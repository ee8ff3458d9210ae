"""The other Python servers, as an experienced developer would write them; the Node servers are in `node/`."""
