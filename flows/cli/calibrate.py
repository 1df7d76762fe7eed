"""`clapboard calibrate`: weights and band edges from people's verdicts."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import HomeOption, JsonOption, RecipeOption, home_of, recipe_of

if TYPE_CHECKING:
    from curation.decide.calibrate import Calibration
    from curation.decide.verdicts import Drift


def calibrate(
    target: Annotated[
        float, typer.Option("--target", min=0.5, max=1, help="Precision that accepted clips shall have.")
    ] = 0.95,
    review_share: Annotated[
        float, typer.Option("--review-share", min=0, max=1, help="The reviewers' budget, as a share of all clips.")
    ] = 0.2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fitted.")] = False,
    recipe: RecipeOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Fit P(good) to the verdicts so far, and set the band edges from the precision you want.

    Prints precision and recall on verdicts that were not fitted on, and whether the last calibration still holds. The
    next `clapboard curate` decides by it; HOME/calibration.svg shows how well predictions and people agree.
    """
    from curation.decide.calibrate import calibrate as fit
    from curation.decide.verdicts import drift, examples, in_force, keep
    from curation.scores.trends import trends
    from flows.report.reliability import reliability_svg
    from shards.files import write_atomic

    place, chosen = home_of(home), recipe_of(recipe)
    share = chosen.review.audit_share
    with place.ledger() as ledger:
        policy = in_force(ledger, chosen.policy)
        moved = drift(ledger, chosen.policy, audit_share=share)
        fitted = fit(
            examples(ledger, audit_share=share, wanted=chosen.policy),
            policy,
            trends=trends(),
            target_precision=target,
            review_share=review_share,
        )
        if not dry_run:
            keep(ledger, fitted)
            write_atomic(place.root / "calibration.svg", reliability_svg(fitted).encode())
    if json:
        from flows.cli.show import print_json

        print_json(_facts(fitted, moved))
        return
    _show(fitted, target)
    _show_drift(moved)
    if dry_run:
        typer.echo("nothing was changed (--dry-run)")
    else:
        typer.echo(f"in force from the next `clapboard curate` on; see {place.root / 'calibration.svg'}")


def _facts(fitted: "Calibration", moved: "Drift | None") -> dict[str, Any]:
    from dataclasses import asdict

    from curation.decide.calibrate import facts
    from curation.decide.verdicts import FITTED

    since = None if moved is None else asdict(moved) | {"since": moved.since.isoformat(), "alarming": moved.alarming}
    return facts(fitted) | {"policy": fitted.policy.model_dump(mode="json", include=set(FITTED)), "drift": since}


def _show(fitted: "Calibration", target: float) -> None:
    from flows.cli.show import table

    policy = fitted.policy
    table(
        "what a clip's columns weigh",
        ["column", "weight", "counted from"],
        [[name, f"{weight:+.3f}", f"{policy.centres[name]:.3f}"] for name, weight in policy.weights.items()],
    )
    table(
        "predicted and observed",
        ["clips", "predicted", "accepted by people"],
        [[one.count, f"{one.predicted:.3f}", str(one.observed)] for one in fitted.reliability],
    )
    typer.echo(f"{fitted.examples} verdicts, {fitted.good} accept; mean distance {fitted.calibration_error:.3f}")
    if policy.accept_at >= 1:
        typer.echo(f"no edge reaches a precision of {target}: nothing is accepted without a person; review more clips")
    typer.echo(f"accept from P(good) {policy.accept_at:.3f}: precision {fitted.precision}, recall {fitted.recall}")
    typer.echo(
        f"review from {policy.review_at:.3f}: {fitted.review_share:.1%} of clips go to people, "
        f"{fitted.accepted_share:.1%} are accepted without"
    )


def _show_drift(moved: "Drift | None") -> None:
    if moved is None:
        return
    found = f"promised {moved.expected:.3f}, found {moved.observed} on {moved.verdicts} verdicts since {moved.since:%F}"
    typer.echo(f"the last calibration {'NO LONGER HOLDS' if moved.alarming else 'held'}: {found}")
