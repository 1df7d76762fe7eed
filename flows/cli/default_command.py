"""Groups of commands of which one need not be named."""

from typing import Any

from typer.core import TyperGroup


def by_default(name: str) -> type[TyperGroup]:
    """A group in which `GROUP ARGUMENT` is `GROUP name ARGUMENT`."""

    class DefaultGroup(TyperGroup):
        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            """The command named first, else the default one."""
            return super().resolve_command(ctx, args if args[0] in self.commands else [name, *args])

        def parse_args(self, ctx: Any, args: list[str]) -> Any:
            """Options that come first are the default command's as well."""
            if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
                args = [name, *args]
            return super().parse_args(ctx, args)

    return DefaultGroup
