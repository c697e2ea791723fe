"""Configuration errors: the daemon exits with 78 and names the error and its remedy."""

from uuid import uuid4

import pytest

from tests.end_to_end.conftest import Deployment
from tests.roles import login

MATRIX = pytest.mark.matrix


def test_all_wrong_settings_are_reported_at_once(deployment: Deployment) -> None:
    code, output = deployment.run_to_exit(
        ORCA_HTTP__PORT="many",
        ORCA_ENGINE__LEASE="-1",
        ORCA_COPIES__STORAGE="GLACIER",
        ORCA_DATABSE__URL="postgresql://u:secret@h/d",
        ORCA_QUEUES__RECOVERY__URL="not a url with a secret",
    )
    assert code == 78
    for name in ("http.port", "engine.lease", "copies.storage", "databse", "queues.recovery.url"):
        assert name in output
    assert "secret" not in output


@pytest.mark.parametrize(
    "name",
    [
        "status_update",
        pytest.param("recovery", marks=MATRIX),
        pytest.param("internal_report", marks=MATRIX),
    ],
)
def test_a_missing_queue_is_named(deployment: Deployment, name: str) -> None:
    url = deployment.queues[name].replace("q-", "gone-")
    code, output = deployment.run_to_exit(**{f"ORCA_QUEUES__{name.upper()}__URL": url})
    assert (code, url in output, f"ORCA_QUEUES__{name.upper()}__URL" in output) == (78, True, True)


def test_a_configuration_without_any_queue_is_refused(deployment: Deployment) -> None:
    deployment.queues = {}
    code, output = deployment.run_to_exit()
    assert (code, "ORCA_QUEUES__STATUS_UPDATE__URL" in output) == (78, True)


def test_a_missing_database_is_named(deployment: Deployment) -> None:
    code, output = deployment.run_to_exit(ORCA_DATABASE__URL=deployment.database_url.replace("/t_", "/gone_"))
    assert (code, "gone_" in output) == (78, True)


def test_a_configuration_without_a_database_is_refused(deployment: Deployment) -> None:
    code, output = deployment.run_to_exit(ORCA_DATABASE__URL="")
    assert (code, "ORCA_DATABASE__URL" in output) == (78, True)


def test_a_database_without_the_schema_is_refused_with_the_command_that_creates_it(
    deployment: Deployment, empty_database: str
) -> None:
    code, output = deployment.run_to_exit(ORCA_DATABASE__URL=empty_database)
    assert (code, "orca-daemon db upgrade" in output) == (78, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL_S3", "nowhere"),
        pytest.param("AWS_PROFILE", "no-such", marks=MATRIX),
        pytest.param("AWS_REGION", "us west", marks=MATRIX),
    ],
)
def test_a_wrong_endpoint_profile_or_region_is_reported(
    deployment: Deployment, name: str, value: str
) -> None:
    code, output = deployment.run_to_exit(**{name: value})
    assert (code, value in output, "Traceback" in output) == (78, True, False)


def test_a_missing_ca_bundle_is_named(deployment: Deployment) -> None:
    code, output = deployment.run_to_exit(AWS_CA_BUNDLE="/no/such/ca.pem")
    assert (code, "/no/such/ca.pem" in output, "AWS_CA_BUNDLE" in output) == (78, True, True)


def test_a_queue_in_another_region_is_named(deployment: Deployment) -> None:
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/q.fifo"
    code, output = deployment.run_to_exit(ORCA_QUEUES__STATUS_UPDATE__URL=url)
    assert (code, f"{url} is in eu-west-1" in output) == (78, True)


def test_a_role_without_privileges_is_refused_with_the_grant_that_it_needs(deployment: Deployment) -> None:
    user = "stranger_" + uuid4().hex
    deployment.rows(f"CREATE ROLE {user} LOGIN")
    code, output = deployment.run_to_exit(ORCA_DATABASE__URL=login(deployment.database_url, user))
    deployment.rows(f"DROP ROLE {user}")
    assert (code, f"GRANT orca_app TO {user}" in output) == (78, True)


def test_credentials_that_cannot_be_fetched_yet_are_not_a_configuration_error(deployment: Deployment) -> None:
    code, output = deployment.run_to_exit(
        AWS_ACCESS_KEY_ID="", AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:9/"
    )
    assert (code, "CredentialRetrievalError" in output) == (70, True)
