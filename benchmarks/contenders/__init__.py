"""The Python peers, each a process: `python -m benchmarks.contenders.NAME BOOTSTRAP GROUP DIRECTORY`.

All but the bare loops call this project's own engine; what differs is the stream around it. They read the
topic in which the harness has put each task's records in order, because none of them merges topics by time.
"""
