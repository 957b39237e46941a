"""A Spark cluster: its address, the session that this process drives, and what is deleted on its shared storage.

The driver is this process. It plans and gets groups; rows are on the executors and on shared storage alone. So a master
``local`` is refused, no table of rows is broadcast (which goes through the driver), and what the executors put on their
disks is encrypted with a key that dies with the session.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qsl

from dp_stats.catalogue.models import Source
from dp_stats.errors import SourceError
from dp_stats.secure.engines import hush_spark
from dp_stats.secure.spill import spill_folder
from dp_stats.settings import Settings

APP = "dp-stats"
MASTERS = ("spark://", "k8s://", "yarn")
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.eventLog.enabled": "false",
    "spark.log.level": "OFF",  # what a failed task says quotes values
    "spark.io.encryption.enabled": "true",
    "spark.speculation": "false",
    "spark.hadoop.fs.permissions.umask-mode": "077",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.adaptive.autoBroadcastJoinThreshold": "-1",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
}
"""What the promises rest on; an address may not set these."""
OURS = (*SETTINGS, "spark.master", "spark.app.name", "spark.local.dir", "spark.sql.warehouse.dir")


@dataclass(frozen=True)
class Address:
    """Where a cluster is. ``options``: configuration of Spark that the address carries."""

    master: str
    options: dict[str, str]


def address_of(source: Source) -> Address:
    """The address in a source's environment variable: ``spark://host:7077?spark.executor.memory=4g&…``.

    Raises:
        SourceError: it is not set, or names no cluster, or sets what may not be set.
    """
    name = source.url_env or ""
    master, _, written = os.environ.get(name, "").partition("?")
    if not master:
        raise SourceError(f"The environment variable {name} is not set. Set it to the cluster: spark://host:7077.")
    if not master.startswith(MASTERS):
        raise SourceError(
            f"The environment variable {name} holds no address of a Spark cluster: write spark://host:7077. A master on this "
            "machine alone would have the rows here, and Spark Connect (sc://) cannot delete a folder."
        )
    options = dict(parse_qsl(written, keep_blank_values=True))
    for option in options:
        if not option.startswith("spark.") or option in OURS:
            raise SourceError(
                f"The environment variable {name} sets an option that it may not set: behind the '?' stand options of Spark, such "
                "as spark.executor.memory=4g&spark.cores.max=8, and none of those that dp_stats sets itself."
            )
    return Address(master, options)


def require_spark(place: str) -> None:
    """Whether Spark is installed here.

    Raises:
        SourceError: it is not.
    """
    if find_spec("pyspark") is None:
        raise SourceError(
            f"{place}: Spark is not installed here. Run: pip install 'dp-stats[spark]'. It needs Java 17, too."
        )


def open_cluster(source: Source, place: str, *, settings: Settings) -> tuple[Any, ExitStack]:
    """A session of Spark on the source's cluster, and what must be closed to end it.

    Raises:
        SourceError: the cluster cannot be reached, or another session of Spark is open in this process.
    """
    address = address_of(source)
    require_spark(place)
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    hush_spark()
    active = SparkContext._active_spark_context
    if active is not None:
        if active.master != address.master or active.appName != APP:
            raise SourceError(f"{place}: another session of Spark is open in this process. Run the step in its own.")
        session = SparkSession.builder.getOrCreate().newSession()
        shared = ExitStack()
        shared.callback(session.catalog.clearCache)
        return session, shared
    closing = ExitStack()
    spill = closing.enter_context(spill_folder(settings.secure))
    builder: Any = SparkSession.builder.master(address.master).appName(APP)
    own = {"spark.local.dir": str(spill), "spark.sql.warehouse.dir": str(spill / "warehouse")}
    for key, value in {**address.options, **SETTINGS, **own}.items():
        builder = builder.config(key, value)
    failure = ""
    try:
        SparkContext._ensure_initialized()
        java: Any = SparkContext._jvm
        java.org.apache.hadoop.fs.FileSystem.closeAll()  # one that is kept from before would make folders that others may read
        session = builder.getOrCreate()
        closing.callback(session.stop)
        return session, closing
    except Exception as error:
        failure = type(error).__name__
    with suppress(Exception):
        closing.close()
    raise SourceError(
        f"{place} cannot be reached ({failure}). Check that the master runs, the address and its options, that this machine can be "
        "reached from the executors, and that Java is installed here."
    )


def delete(source: Source, folder: str) -> None:
    """Delete a folder on the cluster's storage, whether it is there or not; no executor is needed.

    Raises:
        SourceError: the address is missing, or the folder is still there.
    """
    address = address_of(source)
    require_spark(folder)
    from pyspark import SparkConf, SparkContext

    SparkContext._ensure_initialized()
    java: Any = SparkContext._jvm
    configured = SparkConf()
    for key, value in address.options.items():
        configured.set(key, value)
    hadoop = java.org.apache.spark.deploy.SparkHadoopUtil.get().newConfiguration(configured._jconf)
    path = java.org.apache.hadoop.fs.Path(folder)
    storage = java.org.apache.hadoop.fs.FileSystem.newInstance(path.toUri(), hadoop)
    storage.delete(path, True)
    left = storage.exists(path)
    storage.close()
    if left:
        raise SourceError(
            f"{folder} could not be deleted. Give this user the right to, then run dp-stats work-tables --drop."
        )


def is_of_spark(error: Exception) -> bool:
    """Whether Spark, or the way to it, raised an error."""
    if "pyspark" not in sys.modules:
        return False
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return isinstance(error, Py4JError | PySparkException)


def reason(error: Exception) -> str:
    """What went wrong, by Spark's own name of the condition or the class alone."""
    named = getattr(error, "getCondition", None) or getattr(error, "getErrorClass", None)
    condition = str(named() or "") if callable(named) else ""
    if condition == "PATH_NOT_FOUND":
        return "is not there, or what was made of it is gone. Check source.path; run the pull step"
    if condition == "UNABLE_TO_INFER_SCHEMA":
        return "has no Parquet file. Put them there, or change source.path"
    told = f"{type(error).__name__}{f', {condition}' if condition else ''}"
    return (
        f"cannot be worked on ({told}; details are withheld because they may hold values). Check the rights to read the source and "
        "to write into the work folder, and ask whoever runs the cluster"
    )
