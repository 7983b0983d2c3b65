from .page import write_augmentation

__all__ = ["write_augmentation"]
