"""What `segment("S")` and `values.V` mean, by the text alone: what they name in brackets, put in its place."""

import json
import re
from collections.abc import Mapping
from typing import Any

Files = dict[str, str]
_NAME = re.compile(r'segment\("\w+"\)|\bvalues\.\w+')


def written_out(files: Mapping[str, str]) -> Files:
    """The same rule files, of JSON, without a reference."""
    documents = {name: json.loads(text) for name, text in files.items()}
    meant = {
        form.format(name): text
        for document in documents.values()
        for form, section in (('segment("{}")', "segments"), ("values.{}", "values"))
        for name, text in document.get(section, {}).items()
    }
    for document in documents.values():
        document.pop("values", None)
    return {name: json.dumps(in_place(document, meant)) for name, document in documents.items()}


def in_place(value: Any, meant: Mapping[str, str]) -> Any:
    match value:
        case str():
            while _NAME.search(value):
                value = _NAME.sub(lambda found: f"({meant[found[0]]})", value)
            return value
        case dict():
            return {name: in_place(item, meant) for name, item in value.items()}
        case list():
            return [in_place(item, meant) for item in value]
        case _:
            return value
