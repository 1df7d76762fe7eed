"""Groups of commands of which one need not be named."""

from typing import Any

from typer.core import TyperGroup


def by_default(name: str, *, help_too: bool = False) -> type[TyperGroup]:
    """A group in which `GROUP ARGUMENT` is `GROUP name ARGUMENT`; with `help_too` its `--help` is that command's."""
    own = () if help_too else ("-h", "--help")

    class DefaultGroup(TyperGroup):
        def parse_args(self, ctx: Any, args: list[str]) -> Any:
            """As click does, with the default command in front of what names no other."""
            if args and args[0] not in self.commands and args[0] not in own:
                args = [name, *args]
            return super().parse_args(ctx, args)

    return DefaultGroup
