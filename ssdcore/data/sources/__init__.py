"""Where the pictures come from, a source a file; `fetch` picks one, `record` is what it leaves."""
