"""`bench figure`: every figure that is registered, each a command whose options are the fields of its request.

The commands are made when they are asked for, so that `bench --help` imports no figure and a figure of another package
that cannot be loaded fails alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import typer
from typer.core import TyperGroup

from bench.api import RequestError, unknown_name
from bench.cli.output import say, warn, write_text, writing
from bench.figures import FIGURES, Drawn, FigureRequest, Numbers


class FigureGroup(TyperGroup):
    """The commands under `bench figure`, from the registry."""

    # click's types are typer's own copies of them in newer versions, so they are not named here
    def list_commands(self, ctx: Any) -> list[str]:
        """Their words, sorted."""
        return FIGURES.names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them, made of its request.

        Raises:
            RequestError: nobody registered it.
        """
        if cmd_name not in FIGURES.names():
            raise unknown_name("figure", cmd_name, FIGURES.names(), FIGURES.list_command)
        try:
            request = FIGURES.get(cmd_name)
        except RequestError as fault:
            return _command(cmd_name, str(fault), _refusal(fault))
        return _command(cmd_name, request.summary, figure_function(request))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    figure = typer.Typer(cls=FigureGroup, help="Draw figures, with their numbers as CSV.", no_args_is_help=True)
    app.add_typer(figure, name="figure")


def figure_function(request: type[FigureRequest]) -> Callable[..., None]:
    """A function as typer reads them: its parameters are the fields of the request, and it carries one out."""

    def carry_out(**given: Any) -> None:
        drawn = draw_figure(request(**given))
        show_figure(drawn)
        if not drawn.complete:
            raise typer.Exit(1)

    hints = get_type_hints(request, include_extras=True)
    fields = [
        parameter.replace(annotation=hints[name]) for name, parameter in inspect.signature(request).parameters.items()
    ]
    carry_out.__signature__ = inspect.Signature(fields)  # type: ignore[attr-defined]
    carry_out.__annotations__ = {parameter.name: parameter.annotation for parameter in fields}
    carry_out.__doc__ = request.__doc__
    return carry_out


def draw_figure(wanted: FigureRequest) -> Drawn:
    """Carry out a request and write its files; nothing but warnings is printed.

    Raises:
        RequestError: the request is wrong, or the place cannot be written.
    """
    from bench.figures.files import check_target

    check_target(wanted.out)
    drawn = wanted.draw(warn)
    _write(wanted, drawn)
    return drawn


def show_figure(drawn: Drawn) -> None:
    """Print what a figure says of itself."""
    if isinstance(drawn.shown, Numbers):
        _show_numbers(drawn.shown)
    elif drawn.shown:
        say(drawn.shown)
    if drawn.closing:
        say(drawn.closing)


def _command(name: str, summary: str, function: Callable[..., None]) -> Any:
    single = typer.Typer(add_completion=False)
    single.command(name, help=summary)(function)
    return typer.main.get_command(single)


def _refusal(fault: RequestError) -> Callable[[], None]:
    def refuse() -> None:
        raise fault

    return refuse


def _write(wanted: FigureRequest, drawn: Drawn) -> None:
    from bench.figures.files import save_figure

    with writing(wanted.out):
        save_figure(drawn.figure, wanted.out)
    for path, text in drawn.texts.items():
        write_text(path, text)


def _show_numbers(numbers: Numbers) -> None:
    from types import SimpleNamespace

    from bench.cli.listing import Column, show_rows

    lines = [
        SimpleNamespace(**{name: form.format(row[name]) if name in row else None for name, _, form in numbers.columns})
        for row in numbers.rows
    ]
    show_rows(lines, [Column(name, title) for name, title, _ in numbers.columns], as_json=False)
