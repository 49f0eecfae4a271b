"""What a request is answered with when it cannot be served: one shape of JSON for every status.

{"error": {"message": "...", "type": "invalid_request_error", "param": "top_p", "code": null}}

Clients of OpenAI's API choose their exception by the status and show `message`; 408, 409, 429 and 5xx they send again
unless a header says otherwise.
"""

from collections.abc import Mapping

from starlette.responses import Response

from glmkit.core.errors import NotFinite, UserError
from glmkit.core.json_types import JsonObject
from glmkit.core.strict_json import dumps

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "service_unavailable_error",
}
NOT_AGAIN = {"x-should-retry": "false"}  # the same request would fail, or work, a second time


class ApiError(Exception):
    """A request that is answered with `status` and an error object. `param` names the field at fault, `code` the kind
    of fault for programs."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = dict(headers or {})

    @property
    def table(self) -> JsonObject:
        """The error object, as a reply or an event of a stream holds it."""
        kind = _TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def response(self) -> Response:
        return json_response(self.table, self.status, self.headers)


def json_response(table: JsonObject, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON as it leaves the server: the text as it is, null in place of NaN and infinity."""
    return Response(dumps(table), status, dict(headers or {}), "application/json")


def bad_request(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """The client's mistake, which it would make again."""
    return ApiError(400, message, param=param, code=code)


def too_long(tokens: int, limit: int, what: str = "the prompt", param: str | None = None) -> ApiError:
    """A prompt beyond the model's context. Clients look for these words and this code before they cut their history."""
    message = f"this model's maximum context length is {limit} tokens, {what} has {tokens}: shorten it"
    return ApiError(400, message, param=param, code="context_length_exceeded")


def busy(message: str, seconds: int = 1) -> ApiError:
    """Too much to do: to be tried again after so many seconds."""
    return ApiError(429, message, code="overloaded", headers={"Retry-After": str(seconds)})


def unavailable(message: str, seconds: int = 2) -> ApiError:
    """Not now: the model is being loaded, or the server is about to stop."""
    return ApiError(503, message, code="unavailable", headers={"Retry-After": str(seconds)})


def as_api_error(error: BaseException) -> ApiError:
    """What an exception is to the client. What it did not cause, it does not learn."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, NotFinite):
        return ApiError(500, f"the model failed: {error}", code="model_error", headers=NOT_AGAIN)
    if isinstance(error, UserError):
        return bad_request(str(error))
    return ApiError(500, "the server failed at this request; its log says why", code="internal", headers=NOT_AGAIN)
