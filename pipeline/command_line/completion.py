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
        script = app.generate_completion(shell=shell)
        if shell == "zsh":
            # The script is made to lie in a folder of $fpath; evaluated, it must name its function to the shell itself.
            script += "compdef _cyclopts_stillwatch stillwatch\n"
        sys.stdout.write(script)
        return 0

    return completion
