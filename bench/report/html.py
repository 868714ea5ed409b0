"""HTML tables: a page of its own that needs nothing else; every text goes through jinja2's escaping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.escape import clean, keep_ends
from bench.report.grid import Grid
from bench.report.model import TableCell
from bench.report.notes import (
    Code,
    NoteLine,
    default_caption,
    footnote_letters,
    footnote_reason,
    note_lines,
    part_caption,
)

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ tables[0].caption }}</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; color-scheme: light dark; }
figure { margin: 0 0 2.5em; overflow-x: auto; }
figcaption { font-weight: 600; margin-bottom: .5em; }
table { border-collapse: collapse; border-block: 2px solid; font-variant-numeric: tabular-nums; }
th, td { padding: .15em .6em; text-align: right; white-space: nowrap; }
th[scope=row], th.stub, tbody th[scope=rowgroup] { text-align: left; font-weight: normal; }
th[scope=colgroup] { text-align: center; border-bottom: 1px solid; }
tbody { border-top: 1px solid; }
tbody th[scope=rowgroup] { font-style: italic; }
ul { padding-left: 1.2em; font-size: .85em; }
</style>
</head>
<body>
{%- for table in tables %}
<figure id="{{ table.label }}">
<figcaption>{{ table.caption }}</figcaption>
<table>
<thead>
{%- if table.grid.groups %}
<tr><td></td>{% for head in table.grid.groups %}<th scope="colgroup" colspan="{{ head.span }}">{{ head.plain }}</th>
{%- endfor %}</tr>
{%- endif %}
<tr><th scope="col" class="stub">{{ table.grid.stub }}</th>{% for head in table.grid.columns %}<th scope="col">
{{- head.plain }}</th>{% endfor %}</tr>
</thead>
{%- for block in table.grid.blocks %}
<tbody>
{%- if block.title.plain %}
<tr><th scope="rowgroup" colspan="{{ table.grid.columns|length + 1 }}">{{ block.title.plain }}</th></tr>
{%- endif %}
{%- for row in block.rows %}
<tr><th scope="row">{{ row.name }}</th>{% for cell in row.cells %}<td>
{%- if cell.value is none %}{{ cell.text or "–" }}
{%- elif cell.mark == "best" %}<strong>{{ cell.text }}</strong>
{%- elif cell.mark == "second" %}<u>{{ cell.text }}</u>
{%- else %}{{ cell.text }}{% endif %}
{%- if table.letter(cell) %}<sup>{{ table.letter(cell) }}</sup>{% endif %}
{%- if cell.sd %} ± {{ cell.sd }}{% endif %}</td>{% endfor %}</tr>
{%- endfor %}
</tbody>
{%- endfor %}
</table>
<ul>
{%- for line in table.notes %}
<li>{% if line.letter %}<sup>{{ line.letter }}</sup> {% endif %}
{%- for part in line.parts %}{% if table.is_code(part) %}<code>{{ part.text }}</code>{% else %}{{ part }}{% endif %}
{%- endfor %}</li>
{%- endfor %}
</ul>
</figure>
{%- endfor %}
</body>
</html>
"""


def render_html(grids: Sequence[Grid]) -> str:
    """A page with one table per grid.

    Args:
        grids: What `arrange` made of one or several tables.
    """
    import jinja2

    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_finalize)
    return page.from_string(_PAGE).render(tables=[_HtmlTable(grid) for grid in grids])


@dataclass(frozen=True)
class _HtmlTable:
    """What the template asks of a table."""

    grid: Grid

    @property
    def caption(self) -> str:
        """What stands above it."""
        table = self.grid.table
        return (table.caption or default_caption(table)) + part_caption(self.grid.title, self.grid.part)

    @property
    def label(self) -> str:
        """Its anchor on the page."""
        return self.grid.label

    @property
    def notes(self) -> Sequence[NoteLine]:
        """The lines under it."""
        return note_lines(self.grid)

    def letter(self, cell: TableCell) -> str:
        """The footnote of a cell; empty where it has none."""
        return footnote_letters(self.grid).get(footnote_reason(cell), "")

    @staticmethod
    def is_code(part: str | Code) -> bool:
        """Whether it is set in typewriter type."""
        return isinstance(part, Code)


def _finalize(value: object) -> object:
    """Control characters of names as U+XXXX, as in the other formats; jinja2 escapes what this returns."""
    return keep_ends(value, clean) if isinstance(value, str) else value
