from .page import write_training

__all__ = ["write_training"]
