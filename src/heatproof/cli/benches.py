"""The command ``bench``, whose commands are made when one is asked for."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup


class Benches(TyperGroup):
    """Waits with the commands, which take the modules of every bench: other commands and the help do without."""

    def list_commands(self, ctx: Any) -> list[str]:
        self._make()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        self._make()
        return super().get_command(ctx, cmd_name)

    def _make(self) -> None:
        if not self.commands:
            from .bench import app as made

            self.commands.update(typer.main.get_group(made).commands)


app = typer.Typer(
    help="""Do maps point at what matters? One measure of faithfulness, noise or localisation for several methods.

    Start with: heatproof bench pixel --model torchvision:resnet50 --weights resnet50.safetensors --data photos""",
    cls=Benches,
    no_args_is_help=True,
    rich_markup_mode=None,
)
