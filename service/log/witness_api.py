"""The witness over HTTP, for logs that submit checkpoints and for whoever watches.

Source: C2SP tlog-witness, "HTTP Interface".
"""

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.middleware import Middleware

from service.credentials.merkle import ConsistencyProofError
from service.credentials.signed_note import NoteSignatureError
from service.errors import MalformedError, NotFoundError, ServiceError
from service.log.witness import Witness, WitnessSizeConflictError
from service.web.body_limit import BodyLimitMiddleware

STATUSES: dict[type[ServiceError], int] = {
    MalformedError: 400,
    NoteSignatureError: 403,
    NotFoundError: 404,
    ConsistencyProofError: 422,
}
SIZE_TYPE = "text/x.tlog.size"


def create_witness_app(witness: Witness) -> FastAPI:
    """Build the application of one witness."""
    app = FastAPI(openapi_url=None, middleware=[Middleware(BodyLimitMiddleware)])

    async def answer_conflict(_request: Request, error: Exception) -> Response:
        assert isinstance(error, WitnessSizeConflictError)
        return Response(f"{error.size}\n", status_code=409, headers={"Content-Type": SIZE_TYPE})

    async def answer_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, ServiceError)
        status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)
        return PlainTextResponse(f"{error.detail}\n", status_code=status)

    app.add_exception_handler(WitnessSizeConflictError, answer_conflict)
    app.add_exception_handler(ServiceError, answer_error)

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        # Nothing is awaited between check and file, so requests cannot overtake each other.
        return PlainTextResponse(witness.add_checkpoint(await request.body()))

    @app.get("/{origin_sha256}/checkpoint")
    async def get_checkpoint(origin_sha256: str) -> Response:
        return PlainTextResponse(witness.find_note(origin_sha256))

    return app
