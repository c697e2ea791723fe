"""What operators do, as functions that take settings, return values and print nothing.

The command line shows these values; so may any other front end.
"""
