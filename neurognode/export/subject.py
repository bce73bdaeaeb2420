"""What an archive asks of the subject, checked before anything is written."""

from __future__ import annotations

import re
from collections.abc import Mapping

_DURATION = re.compile(
    r"^P(?!$)(\d+(?:\.\d+)?Y)?(\d+(?:\.\d+)?M)?(\d+(?:\.\d+)?W)?(\d+(?:\.\d+)?D)?(T(?=\d)\S+)?$"
)
_SPECIES = re.compile(r"^[A-Z][a-z]+ [a-z]+(-[a-z]+)?$|^https?://purl\.obolibrary\.org/obo/NCBITaxon_\d+$")
_KEYS = (
    "subject_id",
    "species",
    "sex",
    "age",
    "date_of_birth",
    "description",
    "genotype",
    "strain",
    "weight",
)


def missing_for_dandi(subject: Mapping[str, str]) -> dict[str, str]:
    """What DANDI would call critical about a subject: field and what is wrong with it.

    Parameters
    ----------
    subject : mapping
        ``subject_id``, ``species``, ``sex``, ``age`` ...

    Examples
    --------
    >>> from neurognode.export import missing_for_dandi
    >>> missing_for_dandi({"subject_id": "A", "species": "Mus musculus", "sex": "F", "age": "P90D"})
    {}
    >>> list(missing_for_dandi({"subject_id": "A", "species": "mouse", "sex": "F"}))
    ['species', 'age']
    """
    wrong: dict[str, str] = {}
    name = subject.get("subject_id", "")
    if not name or "/" in name:
        wrong["subject_id"] = "is missing" if not name else f"is {name!r}, which holds a slash"
    species = subject.get("species", "")
    if not _SPECIES.match(species):
        what = f"is {species!r}, not a Latin name" if species else "is missing"
        wrong["species"] = f"{what} (such as 'Mus musculus')"
    if subject.get("sex", "") not in ("M", "F", "U", "O"):
        wrong["sex"] = f"is {subject.get('sex', '')!r}, not M, F, U or O"
    age = subject.get("age", "")
    if not subject.get("date_of_birth") and not (
        age and all(_DURATION.match(a) for a in age.split("/") if a)
    ):
        what = f"is {age!r}, not a duration" if age else "is missing"
        wrong["age"] = f"{what} (such as 'P90D' for 90 days, 'P12Y' for 12 years)"
    return wrong


def known_keys() -> tuple[str, ...]:
    """Fields of a subject that can be given."""
    return _KEYS
