"""The services over the network: the same classes, whose methods ask a running instance.

`calls` says what may be called, `values` how arguments and answers look as JSON; both ends use them. The rest
is the caller's end, which needs httpx (`sojourn[remote]`).
"""
