"""Start Airflow with our DAGs on 127.0.0.1, print the login, and stop it cleanly on Ctrl+C: what ``make ui`` does."""

from __future__ import annotations

import argparse
import signal
import time
from pathlib import Path

from deploy.local.environment import USERS, local_environment, passwords
from deploy.local.processes import LocalAirflow
from dp_stats.settings import load_settings


def main() -> None:
    """Parse the command line and run until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=load_settings().home, help="state folder")
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    home = options.home.absolute()
    environment = local_environment(home, port=options.port)
    known = passwords(home)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("Starting Airflow: this takes about 20 seconds …", flush=True)
    try:
        with LocalAirflow(environment) as airflow:
            print(f"\nAirflow is at {airflow.url}\n")
            for user, what in USERS.items():
                print(f"  {user:<10} {known[user]:<18} {what}")
            print(f"\nLogs are in {airflow.folder}. Stop with Ctrl+C.", flush=True)
            while all(process.poll() is None for process in airflow.running.values()):
                time.sleep(1)
            raise SystemExit(f"One of Airflow's processes ended. Read the logs in {airflow.folder}.")
    except KeyboardInterrupt:
        print("\nAirflow has stopped.")


if __name__ == "__main__":
    main()
