"""All photographs in a table; page.js sorts it."""

from cpcnn_jax.evaluation.report import html_table, number_format
from cpcnn_jax.io.html import tag

TITLES = {
    "psnr": ("PSNR", 2),
    "ssim": ("SSIM", 3),
    "game1": ("GAME(1)", 1),
    "game2": ("GAME(2)", 1),
    "game3": ("GAME(3)", 1),
}


def section(run, pictured):
    """The table, the worst count first.

    Args:
      run: `run_files.RunFiles`.
      pictured: ranks of the photographs that have a picture in the page.

    Returns:
      Html.
    """
    columns = _columns(run.photographs)
    rows = [
        _row(rank, photograph, columns, pictured)
        for rank, photograph in enumerate(run.photographs, 1)
    ]
    return html_table.boxed(
        "All photographs",
        [_title(words) for words, _ in columns],
        reversed(rows),
        kind="photographs",
        class_="box tall",
        id="photographs",
    )


def _columns(photographs):
    """(title, function of a photograph to (what is shown, what is sorted by))."""
    found = [
        ("photograph", lambda p: (p.name, p.name)),
        ("true", lambda p: (number_format.people(p.count), p.count)),
        ("predicted", lambda p: (number_format.text(p.predicted), p.predicted)),
        ("error", lambda p: (number_format.signed(p.error), abs(p.error))),
    ]
    for name, (title, digits) in TITLES.items():
        if any(name in p.maps for p in photographs):
            found.append((title, _of_map(name, digits)))
    if any(p.level for p in photographs):
        found.append(("level", lambda p: (p.level, p.count)))
    if any(p.scene for p in photographs):
        found.append(("scene", lambda p: (p.scene, p.scene)))
    return found


def _of_map(name, digits):
    return lambda p: (
        number_format.text(p.maps.get(name), digits),
        p.maps.get(name, ""),
    )


def _title(words):
    order = "descending" if words == "error" else None
    return html_table.title(tag("button", words, type="button"), aria_sort=order)


def _row(rank, photograph, columns, pictured):
    (_, of_name), *others = columns
    name, _ = of_name(photograph)
    shown = tag("a", name, href=f"#picture-{rank}") if rank in pictured else name
    cells = [
        tag("td", shown, data_value=value)
        for shown, value in (of(photograph) for _, of in others)
    ]
    return tag(
        "tr",
        tag("th", shown, scope="row", data_value=name),
        *cells,
        data_rank=rank,
        data_level=photograph.level,
    )
