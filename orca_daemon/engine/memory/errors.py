"""What the queue says when it refuses a call or an entry of a batch, in AWS's own codes."""


class RequestRefusedError(Exception):
    """`code` is the name of SQS's error (AWS: SQS API reference), the text its explanation."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def invalid(parameter: str, value: object, reason: str) -> RequestRefusedError:
    """The refusal of a parameter's value, worded as SQS does."""
    return RequestRefusedError(
        "InvalidParameterValue", f"Value {value} for parameter {parameter} is invalid. Reason: {reason}"
    )


def missing(parameter: str) -> RequestRefusedError:
    """The refusal of a request that leaves out a parameter."""
    return RequestRefusedError("MissingParameter", f"The request must contain the parameter {parameter}.")
