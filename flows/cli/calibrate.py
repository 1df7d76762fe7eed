"""`clapboard calibrate`: weights and band edges from people's verdicts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import HomeOption, JsonOption, RecipeOption, home_of, recipe_of

if TYPE_CHECKING:
    from curation.decide.calibrate import Calibration
    from curation.decide.odds import Odds
    from curation.decide.verdicts import Drift, Fits


def calibrate(
    target: Annotated[
        float, typer.Option("--target", min=0.5, max=1, help="Precision that accepted clips shall have.")
    ] = 0.95,
    review_share: Annotated[
        float,
        typer.Option(
            "--review-share", min=0, max=1, help="The reviewers' budget, as a share of clips like those with a verdict."
        ),
    ] = 0.2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fitted.")] = False,
    recipe: RecipeOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Fit P(good) to the verdicts so far, and set the band edges from the precision you want.

    Prints precision and recall on verdicts that neither weights nor edges were chosen on, and whether the last
    calibration still holds. Clips of which only meaning is wanted are fitted apart. The next `clapboard curate` decides
    by it; HOME/calibration.svg shows how well predictions and people agree.
    """
    from curation.decide.verdicts import calibrate_policy, drift, keep

    place, chosen = home_of(home), recipe_of(recipe)
    share = chosen.review.audit_share
    with place.ledger() as ledger:
        moved = drift(ledger, chosen.policy, audit_share=share)
        fits = calibrate_policy(
            ledger, chosen.policy, audit_share=share, target_precision=target, review_share=review_share
        )
        if not dry_run:
            keep(ledger, fits.general, fits.meaning)
    plots = [] if dry_run else _plot(fits, place.root)
    if json:
        from flows.cli.show import print_json

        print_json(_facts(fits, moved))
        return
    _show_fits(fits, target)
    _show_drift(moved)
    kept = f"in force from the next `clapboard curate` on; see {', '.join(plots)}"
    typer.echo("nothing was changed (--dry-run)" if dry_run else kept)


def _plot(fits: "Fits", folder: Path) -> list[str]:
    from flows.report.reliability import reliability_svg
    from shards.files import write_atomic

    drawn = {"calibration.svg": fits.general, "calibration-meaning.svg": fits.meaning}
    for name, fitted in drawn.items():
        if fitted:
            write_atomic(folder / name, reliability_svg(fitted).encode())
    return [str(folder / name) for name, fitted in drawn.items() if fitted]


def _facts(fits: "Fits", moved: "Drift | None") -> dict[str, Any]:
    from dataclasses import asdict

    since = None if moved is None else asdict(moved) | {"since": moved.since.isoformat(), "alarming": moved.alarming}
    general, meaning = (None if one is None else _facts_of(one) for one in (fits.general, fits.meaning))
    return (general or {"policy": None}) | {"meaning": meaning, "lacking": fits.lacking, "drift": since}


def _facts_of(fitted: "Calibration") -> dict[str, Any]:
    from curation.decide.calibrate import facts
    from curation.decide.verdicts import FITTED

    return facts(fitted) | {"policy": fitted.odds.model_dump(mode="json", include=set(FITTED))}


def _show_fits(fits: "Fits", target: float) -> None:
    if fits.general:
        _show(fits.general, target)
    if fits.meaning:
        typer.echo("clips of which only meaning is wanted:")
        _show(fits.meaning, target)
    if fits.lacking:
        which = "of which only meaning is wanted" if fits.general else "that need synchrony"
        typer.echo(f"clips {which} are decided as before: {fits.lacking}")


def _show(fitted: "Calibration", target: float) -> None:
    from flows.cli.show import table

    odds = fitted.odds
    table(
        "what a clip's columns weigh",
        ["column", "weight", "counted from"],
        [[name, f"{weight:+.3f}", f"{odds.centres[name]:.3f}"] for name, weight in odds.weights.items()],
    )
    table(
        "predicted and observed",
        ["clips", "predicted", "accepted by people"],
        [[one.count, f"{one.predicted:.3f}", str(one.observed)] for one in fitted.reliability],
    )
    typer.echo(f"{fitted.examples} verdicts, {fitted.good} accept; mean distance {fitted.calibration_error:.3f}")
    typer.echo(_accepting(fitted, odds, target))
    typer.echo(
        f"review from {odds.review_at:.3f}: {fitted.review_share:.1%} of clips like these go to people, "
        f"{fitted.accepted_share:.1%} are accepted without"
    )


def _accepting(fitted: "Calibration", odds: "Odds", target: float) -> str:
    if odds.accept_at < 1:
        return f"accept from P(good) {odds.accept_at:.3f}: precision {fitted.precision}, recall {fitted.recall}"
    if fitted.more_verdicts is None:
        return (
            f"nothing is accepted without a person: however sure the scores are, fewer than {target:.0%} are good; "
            "lower --target, or measure more scores"
        )
    return (
        f"nothing is accepted without a person: too few verdicts show a precision of {target}; it takes at least "
        f"about {fitted.more_verdicts} more, if they are like these"
    )


def _show_drift(moved: "Drift | None") -> None:
    if moved is None:
        return
    since = f"{moved.verdicts} verdicts since {moved.since:%F}"
    if moved.expected is None:
        typer.echo(f"whether the last calibration holds is not known: it accepts none of the clips of {since}")
        return
    found = f"promised {moved.expected:.3f}, found {moved.observed} on the {moved.accepted} it accepts of {since}"
    typer.echo(f"the last calibration {'NO LONGER HOLDS' if moved.alarming else 'held'}: {found}")
