"""Settings of reading sources: a model of the recipe."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from curation.sources.licence import licence_allowed
from curation.sources.rows import NAMES


class SourceSettings(BaseModel):
    """What lists mean, and which of their rows are wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: dict[str, str] = Field(
        default_factory=dict, description="names of a table's columns: ours (link, start, label...) to theirs"
    )
    splits: tuple[str, ...] = Field((), description="take rows of these splits alone; empty takes all")
    exclude: tuple[Path, ...] = Field(
        (), description="lists of links or YouTube ids that must not come in, such as the test ids of a benchmark"
    )
    follow_links: bool = Field(
        False, description="follow symbolic links out of a source folder, to files and to folders"
    )
    hosts: tuple[str, ...] = Field((), description="take links to these hosts and what is below them; empty takes all")
    licences: tuple[str, ...] = Field(
        (), description='take these licences, "CC-BY" takes every version of it; empty takes all'
    )
    unknown_licence: bool = Field(
        False, description="with `licences`: take videos as well whose licence neither list nor site states"
    )
    max_entries: int = Field(10_000, ge=1, description="most entries of one playlist, search, prefix or listing")

    def allows(self, licence: str | None) -> bool:
        """Whether a video may come in whose licence no list states, and whose site states this one or none."""
        return licence_allowed(licence, self.licences) if licence else self.unknown_licence or not self.licences

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: dict[str, str]) -> dict[str, str]:
        if unknown := columns.keys() - NAMES.keys():
            raise ValueError(f"{', '.join(sorted(unknown))} is no column of ours; there are {', '.join(NAMES)}")
        return columns
