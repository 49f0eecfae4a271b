"""What a reply is held to: a JSON schema, a call of a tool. The one place where constrained output joins requests."""

from collections.abc import Callable

from glmkit.generate.constraint import Constraint
from glmkit.serve.errors import bad_request
from glmkit.serve.fields import Fields
from glmkit.serve.models import ServedModel
from glmkit.serve.tools import ToolChoice


def constraint_of(served: ServedModel, fields: Fields, choice: ToolChoice) -> Callable[[], Constraint] | None:
    """The constraint of each sequence that a request asks for, if it asks for one. Raises ApiError for one that cannot
    be."""
    form = fields.get("response_format", {"type": "text"})
    if form.get("type") != "text":
        raise bad_request("response_format: this version writes text alone", "response_format", "unsupported_parameter")
    if choice.required:
        raise bad_request(
            "tool_choice: this version calls tools where the model chooses to; give auto or none",
            "tool_choice",
            "unsupported_parameter",
        )
    return None
