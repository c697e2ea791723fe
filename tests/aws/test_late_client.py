"""Clients that are made at their first call: once, and metered as the others."""

import asyncio
from typing import Any

import pytest
from aiobotocore.session import AioSession

from orca_daemon.aws.clients import connect
from orca_daemon.aws.late_client import LateClient, drop_documentation
from orca_daemon.aws.metering import meter
from orca_daemon.settings import load


class Greeter:
    async def greet(self, *, name: str) -> str:
        return f"hello {name}"


async def test_calls_at_one_time_make_one_client() -> None:
    made: list[Greeter] = []

    async def make() -> Greeter:
        await asyncio.sleep(0)
        made.append(Greeter())
        return made[-1]

    client, prepared = LateClient(make), list[Any]()
    client.when_made(prepared.append)
    assert made == []
    greetings: list[str] = list(await asyncio.gather(client.greet(name="a"), client.greet(name="b")))
    assert greetings == ["hello a", "hello b"]
    assert len(made) == 1
    assert prepared == made


async def test_a_client_that_could_not_be_made_is_made_at_the_next_call() -> None:
    tries: list[int] = []

    async def make() -> Greeter:
        tries.append(1)
        if len(tries) == 1:
            raise LookupError("no model")
        return Greeter()

    client = LateClient(make)
    with pytest.raises(LookupError):
        await client.greet(name="a")
    assert await client.greet(name="a") == "hello a"


async def test_the_daemons_late_clients_are_metered(
    aws_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    calls: list[tuple[str, str]] = []
    environ = {"AWS_REGION": "us-west-2", "ORCA_AWS__ENDPOINT_URL": aws_endpoint}
    async with connect(load(environ=environ, need_queue=False)) as clients:
        meter(clients, lambda operation, outcome, _: calls.append((operation, outcome)))
        for _ in range(2):
            assert (await clients.sts.get_caller_identity())["Account"]
    assert calls == [("sts:GetCallerIdentity", "ok")] * 2


@pytest.mark.parametrize("service", ["s3", "sqs"])
async def test_a_client_works_without_the_texts_of_its_service(service: str) -> None:
    session = AioSession()
    session.set_credentials("x", "x")
    async with session.create_client(service, region_name="us-west-2") as client:
        model, name = client.meta.service_model, "CreateBucket" if service == "s3" else "CreateQueue"
        assert session.get_component("data_loader").load_service_model(service, "service-2")
        drop_documentation(session, service)
        assert model.operation_model(name).documentation == ""
        assert model.shape_for(f"{name}Request").documentation == ""
        assert model.client_context_parameters is not None
