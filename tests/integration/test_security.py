"""Login and encryption reach every client: this real Kafka refuses clients without them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.protocol.admin import CreateAclsRequest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from streams.broker import Broker, free_port
from streams.broker.kafka import KafkaBroker
from streams.kafka import clients
from streams.settings import Settings, load
from tests.conftest import RunningBroker, SettingsFor, kafka_jars
from tests.integration.running import Worker, installed

PASSWORD = "correct horse battery staple"


def _certificate(folder: Path) -> Path:
    """Make a key store for the broker, and the certificate that a client trusts; `keytool` comes with Java."""
    store = ["-keystore", str(folder / "broker.p12"), "-storetype", "PKCS12", "-storepass", PASSWORD, "-alias", "broker"]
    name = ["-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1", "-ext", "BC=ca:true", "-validity", "30", "-keyalg", "RSA"]
    subprocess.run(["keytool", "-genkeypair", *store, *name], check=True, capture_output=True)
    subprocess.run(["keytool", "-exportcert", "-rfc", *store, "-file", str(folder / "ca.pem")], check=True, capture_output=True)
    return folder / "ca.pem"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Path]]:
    """Real Kafka with a further listener that wants a login over TLS; its address and the certificate to trust."""
    lib = kafka_jars()
    if shutil.which("keytool") is None:
        pytest.skip("keytool is not found")
    folder = tmp_path_factory.mktemp("guarded")
    trusted, port = _certificate(folder), free_port()
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    properties = {
        "listener.name.sasl_ssl.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f'{login} user_worker="{PASSWORD}";',
        "ssl.keystore.location": (folder / "broker.p12").as_posix(),
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.password": PASSWORD,
        "ssl.key.password": PASSWORD,
    }
    with KafkaBroker(folder / "kafka", lib, listeners={"SASL_SSL": port}, properties=properties):
        yield RunningBroker(f"127.0.0.1:{port}"), trusted


def _login(trusted: Path, password: str = PASSWORD) -> dict[str, object]:
    return {"security_protocol": "SASL_SSL", "sasl_username": "worker", "sasl_password": password, "ssl_cafile": str(trusted)}


@pytest.mark.kafka
async def test_a_worker_topics_and_commands_work_with_a_login_over_tls(
    guarded: tuple[Broker, Path], settings_for: SettingsFor, tmp_path: Path
) -> None:
    broker, trusted = guarded
    settings = settings_for(broker, **_login(trusted))
    async with installed(settings) as log:
        with Worker(settings, tmp_path, **_login(trusted)) as worker:
            await worker.opens()
            await log.track("ann", "Paid")
            await log.is_saved()
            await worker.leaves()
        assert await log.actions() == ["receipt ann"]


@pytest.mark.kafka
async def test_a_wrong_password_and_an_unknown_authority_are_told(guarded: tuple[Broker, Path], settings_for: SettingsFor) -> None:
    broker, trusted = guarded
    for options, told in (
        (_login(trusted, "guessed"), "uthentication"),
        ({**_login(trusted), "ssl_cafile": None}, "CERTIFICATE_VERIFY_FAILED"),
    ):
        with pytest.raises(clients.Unreachable, match=told):
            async with clients.Cluster(settings_for(broker, **options)):
                pass


@pytest.mark.kafka
async def test_tls_against_a_port_without_it_is_told_and_the_reverse(
    guarded: tuple[Broker, Path], kafka: Broker, settings_for: SettingsFor
) -> None:
    encrypting, trusted = guarded
    for broker, options, told in (
        (kafka, {"security_protocol": "SSL", "ssl_cafile": str(trusted)}, "does not speak TLS there; .* is SSL, try PLAINTEXT"),
        (kafka, _login(trusted), "does not speak TLS there; .* is SASL_SSL, try SASL_PLAINTEXT"),
        (encrypting, {}, "it speaks TLS there; .* is PLAINTEXT, try SSL"),
    ):
        with pytest.raises(clients.Unreachable, match=told):
            async with clients.Cluster(settings_for(broker, **options)):
                pass


@pytest.mark.kafka
async def test_clusters_that_are_open_at_the_same_time_share_a_connection(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(kafka)
    async with clients.Cluster(settings) as one:
        async with clients.Cluster(settings) as two, clients.Cluster(settings_for(kafka)) as other:
            assert two._admin is one._admin is not other._admin
        assert await one.identity() == await two.identity(), "the outer one keeps it open"
    async with clients.Cluster(settings) as later:
        assert later._admin is not one._admin
        assert await later.identity()


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Broker]]:
    """Real Kafka with an authorizer: settings for a superuser, and for the user `worker`."""
    login, port = "org.apache.kafka.common.security.plain.PlainLoginModule required", free_port()
    properties = {
        "listener.name.sasl_plaintext.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": f'{login} user_worker="{PASSWORD}";',
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "true",
    }
    folder = tmp_path_factory.mktemp("strict")
    with KafkaBroker(folder / "kafka", kafka_jars(), listeners={"SASL_PLAINTEXT": port}, properties=properties) as broker:
        yield broker, RunningBroker(f"127.0.0.1:{port}")


async def _deny(settings: Settings, kind: int, name: str) -> None:
    """Allow only another user to use this resource (2: topic, 3: group, 5: transactional id)."""
    any_operation, literal, allow = 2, 3, 3
    async with clients.Cluster(settings) as cluster:
        request = CreateAclsRequest(kind, name, literal, "User:somebody-else", "*", any_operation, allow)
        ((code, message),) = (await cluster._send(request)).creation_responses
    assert code == 0, message


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("kind", "what", "told"),
    [
        (2, "rules", "TopicAuthorizationFailedError"),
        (2, "{app}-users-changelog", "TopicAuthorizationFailedError"),
        (3, "{app}", "GroupAuthorizationFailedError"),
        (5, "{app}-0", "TransactionalIdAuthorizationFailed"),
    ],
)
async def test_a_worker_that_is_denied_something_says_what_and_ends_with_78(
    strict: tuple[Broker, Broker], settings_for: SettingsFor, tmp_path: Path, kind: int, what: str, told: str
) -> None:
    """A restart changes nothing."""
    broker, guarded = strict
    settings = settings_for(broker, partitions=1)
    async with installed(settings):
        name = what.format(app=settings.app)
        await _deny(settings, kind, settings.prefix + name if kind == 2 else name)
        login = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "worker", "sasl_password": PASSWORD}
        with Worker(settings, tmp_path, bootstrap=guarded.bootstrap, **login) as worker:
            assert await worker.ends() == 78
            assert told in worker.said()
            assert "docs/topics.md lists what workers need" in worker.said()
            assert "Traceback" not in worker.said()


def _told_to_faust(settings: Settings) -> dict[str, object]:
    auth = credentials_to_aiokafka_auth(clients.faust_credentials(settings))
    return {name: getattr(value, "value", value) for name, value in auth.items() if value is not None}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"security_protocol": "SSL"},
        {"security_protocol": "SASL_SSL", "sasl_username": "me", "sasl_password": "it", "sasl_mechanism": "SCRAM-SHA-512"},
        {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "me", "sasl_password": "it"},
    ],
)
def test_faust_logs_in_and_encrypts_as_our_own_clients_do(options: dict[str, str]) -> None:
    settings = load(**options)
    ours = {
        name: value for name, value in settings.client().items() if name not in {"bootstrap_servers", "client_id"} and value is not None
    }
    assert _told_to_faust(settings) == ours
