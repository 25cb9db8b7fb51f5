"""Render the templates of every HTML and Markdown page."""

from __future__ import annotations

from collections.abc import Callable


def render(
    package: str,
    template: str,
    *,
    finalize: Callable[[object], object] | None = None,
    **content: object,
) -> str:
    """Render a template that lies in the ``templates`` folder of a package.

    Values are escaped in HTML; a name that the content lacks is an
    error.

    Args:
        package: such as ``gastric_keras.report``.
        template: its name, ending in ``.html`` or ``.md``.
        finalize: applied to every value before it is escaped.
        **content: names of the template -> values.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader(package),
        autoescape=select_autoescape(("html",)),
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=template.endswith(".md"),
    )
    return environment.get_template(template).render(**content)
