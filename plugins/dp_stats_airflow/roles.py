"""Who may do what."""
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
class LocalAuthManager(SimpleAuthManager):
    pass
