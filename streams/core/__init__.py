"""The pure rules; `decide` is the one entry. No clock, no I/O, no Faust, no logging."""
