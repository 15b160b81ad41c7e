"""`longshore completion`: what a shell needs to complete our commands and options, made from their help."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell.")]) -> None:
    """Print the completion for a shell: for bash, `source <(longshore completion bash)`.

    To have it in every shell, write it where the shell looks for it: for bash into
    ~/.local/share/bash-completion/completions/longshore.
    """
    from longshore.cli.app import app

    print(app().generate_completion(shell=shell))
