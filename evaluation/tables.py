"""The report's tables, as HTML."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

MISSING = "–"


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls sideways on a narrow screen."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def number(value: float | None, form: str = ".2f") -> str:
    """A figure, or a dash where there is none."""
    return MISSING if value is None else format(value, form)


def interval(ends: Sequence[float] | None, form: str = ".2f") -> str:
    """An interval, or a dash."""
    return MISSING if ends is None else f"{ends[0]:{form}} to {ends[1]:{form}}"


def arm_table(report: Mapping[str, Any]) -> str:
    """MAE, RMSE and R2 of every arm."""
    rows = [
        [
            name,
            number(arm["mae"]["mean"]),
            interval(arm["mae"]["ci"]),
            ", ".join(number(value) for value in arm["mae"]["per_seed"]),
            number(arm["rmse"]["mean"]),
            number(arm["r2"]["mean"]),
        ]
        for name, arm in report["arms"].items()
    ]
    percent = f"{100 * report['level']:.0f} % interval"
    table = html_table(["arm", "MAE", percent, "single seeds", "RMSE", "R²"], rows)
    reasons = {arm["mae"]["reason"] for arm in report["arms"].values() if "reason" in arm["mae"]}
    return table + "".join(f"<p class='note'>No interval: {escape(reason)}.</p>" for reason in sorted(reasons))


def contrast_table(report: Mapping[str, Any]) -> str:
    """Differences of MAE between arms, paired by heart and seed."""
    rows = []
    for name, contrast in report["contrasts"].items():
        mae = contrast["mae"]
        first, second = name.split("-", 1)
        small = mae["p"] is not None and mae["p"] < 0.001
        rows.append(
            [
                f"{first} against {second}",
                number(mae["diff"], "+.2f"),
                interval(mae["ci"], "+.2f"),
                "< 0.001" if small else number(mae["p"], ".3f"),
                number(mae["detectable"]),
            ]
        )
    percent = f"{100 * report['level']:.0f} % interval"
    note = (
        "<p class='note'>Negative: the first arm's error is smaller. Intervals: BCa bootstrap, paired by heart and "
        "seed, resampled over both, widened for few seeds. Detectable: the true difference that this design would find "
        "with 80 % power.</p>"
    )
    return html_table(["difference of MAE", "EF points", percent, "p", "detectable"], rows) + note


def run_table(report: Mapping[str, Any]) -> str:
    """What the figures were made from."""
    config, hearts = report["config"], report["hearts"]
    rows = [
        ["data", f"{report['data']}, {config['data']['root']}"],
        ["hearts", f"{hearts['train']} TRAIN, {hearts['validation']} VAL to select by, {hearts['test']} TEST"],
        ["labelled", f"{report['labelled_hearts']} ({100 * report['label_fraction']:.1f} % of TRAIN), drawn by seed"],
        ["seeds", ", ".join(map(str, report["seeds"]))],
        ["model", config["model"]["name"]],
        [
            "training",
            f"{report['steps']} steps of {report['batch_size']} clips in every arm, selected on VAL, TEST once",
        ],
        ["clips", ", ".join(f"{item['sealed']} {item['kind']} (seed {item['seed']})" for item in report["clips"])],
        ["generator", f"{config['generator']['weights']}, fingerprint {report['fingerprint'] or MISSING}"],
        ["versions", ", ".join(f"{name} {value}" for name, value in report["versions"].items())],
    ]
    cells = "".join(f"<tr><td>{escape(name)}</td><td class='text'>{escape(text)}</td></tr>" for name, text in rows)
    return f"<table class='run'><tbody>{cells}</tbody></table>"


def command(report: Mapping[str, Any]) -> str:
    """The command that makes this report again, with the settings that a user usually changes."""
    config = report["config"]
    words = ["echo-augment", report["job"], f"data={report['data']}", f"data.root={config['data']['root']}"]
    words += [f"labels=[{','.join(map(str, config['labels']))}]", f"seeds=[{','.join(map(str, config['seeds']))}]"]
    words += [f"arm=[{','.join(config['arm'])}]", f"model={config['model']['name']}", f"clips={config['clips']}"]
    words += [f"seed={config['seed']}", f"out={config['out']}"]
    return escape(" ".join(f"'{word}'" if set(word) & set("[] ") else word for word in words))
