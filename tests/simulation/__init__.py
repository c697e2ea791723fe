"""The engine under thousands of random histories on virtual time, each checked afterwards.

`./dev simulate` runs many; a history that breaks a promise is printed with its seed and can be repeated.
"""
