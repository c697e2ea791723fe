"""An error of several settings that do not go together."""


class SettingsConflictError(ValueError):
    """Settings that do not go together: each is a setting, as `section.key`, and a sentence about it."""

    def __init__(self, *conflicts: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{key}: {text}" for key, text in conflicts))
        self.conflicts = conflicts
