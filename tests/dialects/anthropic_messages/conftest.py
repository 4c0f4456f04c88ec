from tests.dialects.served import served

__all__ = ["served"]
