"""The settings as text: `.env.example` and the table of the README, printed from the code."""

from app.settings import Settings, metadata_of


def printed_default(name: str) -> str:
    default = Settings.model_fields[name].default
    if default is None:
        return ""
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


def example() -> str:
    """The text of `.env.example`: each setting, commented out, with its default."""
    lines = ["# Every setting with its default. Copy to .env and uncomment what you change."]
    for name, field in Settings.model_fields.items():
        default_text = metadata_of(name)["default_text"]
        lines += ["", f"# {field.description}" + (f" Default: {default_text}." if default_text else "")]
        lines += [f"#{name.upper()}=" + ("" if default_text else printed_default(name))]
    return "\n".join(lines) + "\n"


def table() -> str:
    """The settings as a Markdown table, for the README."""
    rows = ["| setting | default | unit | what it does |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = metadata_of(name)["default_text"] or (
            f"`{printed_default(name)}`" if printed_default(name) else "none"
        )
        unit = name.rpartition("_")[2] if name.endswith(("_seconds", "_days", "_bytes")) else ""
        rows.append(f"| `{name.upper()}` | {default} | {unit} | {field.description} |")
    return "\n".join(rows) + "\n"
