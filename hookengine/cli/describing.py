"""`hookengine openapi`"""

from __future__ import annotations

import json

import click

from hookengine import __version__


@click.command()
@click.option("--page", is_flag=True, help="As a page to read, in Markdown.")
def openapi(page: bool) -> None:
    """Print the OpenAPI document of the API, with every source on.

    \b
    hookengine openapi > openapi.json
    """
    from hookengine.web.document import whole_document
    from hookengine.web.reference import page as as_page

    document = whole_document(__version__)
    click.echo(as_page(document) if page else json.dumps(document, indent=2, ensure_ascii=False), nl=not page)
