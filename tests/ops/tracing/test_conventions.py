"""The table of names against OpenTelemetry's own, and the variables that switch traces on."""

import pytest
from opentelemetry.semconv._incubating.attributes import (
    aws_attributes,
    code_attributes,
    db_attributes,
    error_attributes,
    messaging_attributes,
    rpc_attributes,
    server_attributes,
)
from opentelemetry.semconv.schemas import Schemas

from orca_daemon.aws.operations import OPERATIONS
from orca_daemon.ops.tracing import PROTOCOL, conventions, wanted

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
MODULES = (
    aws_attributes,
    code_attributes,
    db_attributes,
    error_attributes,
    messaging_attributes,
    rpc_attributes,
    server_attributes,
)


def test_every_attribute_is_one_of_the_version_that_the_table_follows() -> None:
    known = {value for module in MODULES for value in vars(module).values() if isinstance(value, str)}
    ours = {
        value
        for name, value in vars(conventions).items()
        if name.isupper() and isinstance(value, str) and "." in value
    }
    ours -= {conventions.VERSION, conventions.SCHEMA}
    ours -= {conventions.OUTCOME, conventions.LEFT_OUT, conventions.FACT}

    assert (ours | set(conventions.S3_PARAMETERS.values())) - known == set()
    assert conventions.SCHEMA in {schema.value for schema in Schemas}
    system = messaging_attributes.MessagingSystemValues.AWS_SQS.value
    types = {kind.value for kind in messaging_attributes.MessagingOperationTypeValues}
    assert system == conventions.SQS
    assert {operation.type for operation in (conventions.PROCESS, *conventions.OPERATIONS.values())} <= types


def test_every_call_of_the_daemon_has_a_name() -> None:
    assert conventions.OPERATIONS.keys() <= OPERATIONS.keys()
    assert {operation.partition(":")[0] for operation in OPERATIONS} == conventions.SERVICES.keys()


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"OTEL_SERVICE_NAME": "x"}, False, id="a name alone"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False, id="an empty endpoint"),
        pytest.param(ENDPOINT, True, id="an endpoint"),
        pytest.param({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, True, id="of traces"),
        pytest.param({"OTEL_TRACES_EXPORTER": "otlp"}, True, id="an exporter"),
        pytest.param(ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False, id="no exporter"),
        pytest.param(ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, False, id="disabled"),
        pytest.param(ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": PROTOCOL}, True, id="the protocol"),
    ],
)
def test_the_standard_variables_switch_traces_on(variables: dict[str, str], on: object) -> None:
    assert (wanted(variables).on, wanted(variables).problem) == (on, "")


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
    ],
    ids=["exporter", "protocol"],
)
def test_what_is_not_supported_is_named(variables: dict[str, str], named: str) -> None:
    asked = wanted(variables)

    assert not asked.on
    assert named in asked.problem
