"""The errors of a listing that was read, and cannot be compared."""


class ListingRefusedError(ValueError):
    """The listing cannot be compared with the catalog."""


class RepeatedError(ListingRefusedError):
    """The listing names a key more than once, or hashes of two keys are the same."""
