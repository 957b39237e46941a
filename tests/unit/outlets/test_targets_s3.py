"""Publishing to S3, against moto's server: files arrive with the media types that browsers need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from english import TEXTS
from moto.server import ThreadedMotoServer

from dp_stats.errors import PublishedError
from dp_stats.outlets.index import refresh_index
from dp_stats.outlets.targets import upload

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-west-2"}


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_an_unreachable_store_is_a_clear_error(sample: Any, tmp_path: Path) -> None:
    sample.publish(tmp_path)
    options = {"key": "test", "secret": "test", "endpoint_url": "http://127.0.0.1:1"}
    options |= {"config_kwargs": {"retries": {"max_attempts": 0}}}
    with pytest.raises(PublishedError, match="s3://public failed"):
        upload(tmp_path, "s3://public", storage_options=options)


@pytest.mark.slow
def test_a_bucket_serves_the_site(endpoint: str, sample: Any, tmp_path: Path) -> None:
    client = boto3.client("s3", endpoint_url=endpoint, **KEYS)
    client.create_bucket(Bucket="public", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    sample.publish(tmp_path)
    refresh_index(tmp_path, base_url="https://statistics.example.org", texts=TEXTS)
    (tmp_path / "index.html").write_text("<title>front</title>")
    options = {"key": "test", "secret": "test", "client_kwargs": {"endpoint_url": endpoint, "region_name": "eu-west-2"}}

    done = upload(tmp_path, "s3://public/statistics", storage_options=options)
    assert upload(tmp_path, "s3://public/statistics", storage_options=options).written == ()

    listed = client.get_paginator("list_objects_v2").paginate(Bucket="public")
    keys = {item["Key"] for page in listed for item in page["Contents"]}
    assert keys == {f"statistics/{name}" for name in (*done.written, "manifest.json")}
    kinds = {
        "index.html": "text/html",
        "feed.atom": "application/atom+xml",
        "catalog.jsonld": "application/ld+json",
        "cases-by-area/latest/area-day.csv": "text/csv",
        "cases-by-area/latest/area-day.parquet": "application/vnd.apache.parquet",
    }
    for name, kind in kinds.items():
        assert client.head_object(Bucket="public", Key=f"statistics/{name}")["ContentType"] == kind
