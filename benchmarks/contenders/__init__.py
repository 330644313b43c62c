"""The contenders: each a program of its own that gets a `Contest` as its argument and reports on stdout."""
