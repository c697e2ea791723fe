"""An SQS consumer that knows no ORCA, no AWS library and no metrics library.

A `Route` says what to do with the messages of a queue, a `Source` is the queue, an `Observer` is called
with every event.  `Engine` joins them.
"""
