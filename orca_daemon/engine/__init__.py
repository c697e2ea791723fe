"""An SQS consumer that knows no ORCA, no AWS library and no metrics library.

A `Route` defines the work of a queue's messages, a `Source` is the queue, and an `Observer` receives every
event. `Engine` joins them.
"""
