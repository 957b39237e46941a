"""How dp_stats lives inside Airflow: guarded steps, approvals, roles, alerts and the budget page."""
