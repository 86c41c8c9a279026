"""`stillwatch completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal, TypeAlias

from cyclopts import App

Shell: TypeAlias = Literal["bash", "zsh", "fish"]


def completion_of(app: App) -> Callable[[Shell], int]:
    """The command for `app` with all the commands that it has by then."""

    def completion(shell: Shell, /) -> int:
        """Print what makes a shell complete commands and options: eval "$(stillwatch completion bash)".

        Parameters
        ----------
        shell
            bash, zsh or fish.
        """
        sys.stdout.write(app.generate_completion(shell=shell))
        return 0

    return completion
