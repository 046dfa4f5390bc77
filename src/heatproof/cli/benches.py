"""The command ``bench``, whose commands are made when one is asked for."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from .names import BENCHES


class Benches(TyperGroup):
    """Waits with the commands, which take the modules of every bench: other commands and the help do without."""

    def list_commands(self, ctx: Any) -> list[str]:
        self._make()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        self._make()
        return super().get_command(ctx, cmd_name)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Names alone, for which no bench need be imported."""
        light: Any = TyperGroup(name=ctx.info_name, commands={name: TyperCommand(name) for name in BENCHES})
        context = type(ctx)(light, parent=ctx.parent, info_name=ctx.info_name, resilient_parsing=True)
        return light.shell_complete(context, incomplete)

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
