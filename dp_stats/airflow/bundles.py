"""Declarations that lie in Airflow's DAG bundles: the version that a process reads is that of the bundle it was started with."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.dag_processing.bundles.base import get_bundle_storage_root_path, get_bundle_versions_base_folder

FOLDER, VERSION = "DP_STATS_CATALOGUE", "DP_STATS_CATALOGUE_VERSION"


def use_catalogue(folder: Path) -> None:
    """Let this process, and what it starts, read declarations from ``folder``.

    Airflow reads a DAG file in a process of its own, and so does a task, from the bundle version of its run; so this holds for
    one reading, or one task.
    """
    os.environ[FOLDER] = str(folder)
    if version := bundle_version(folder):
        os.environ[VERSION] = version
    else:
        os.environ.pop(VERSION, None)  # what the deployment says is of its own folder; Git tells of this one


def bundle_version(folder: Path) -> str:
    """The version of the bundle in which a folder lies, where Airflow keeps it as one version among others (without ``.git``);
    empty for any other folder."""
    try:
        name = folder.resolve().relative_to(get_bundle_storage_root_path().resolve()).parts[0]
        return folder.resolve().relative_to(get_bundle_versions_base_folder(name).resolve()).parts[0]
    except (ValueError, IndexError):
        return ""
