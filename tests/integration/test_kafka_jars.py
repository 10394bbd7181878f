"""Maven fills the folder of Kafka's jars, for a relative path, too."""

from pathlib import Path

import pytest

from streams.broker.kafka import VERSION, jars, missing


def test_a_relative_path_is_that_of_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Path("cache")
    lack = missing(cache)
    if lack is not None:
        pytest.skip(lack)
    monkeypatch.chdir(tmp_path)

    assert jars(cache) == tmp_path / "cache" / f"kafka-{VERSION}"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f"kafka-{VERSION}"]
    assert list((tmp_path / "cache").glob("*/kafka_*.jar"))
