"""Who consented to a transfer that a document or a lienholder allows."""

import unicodedata

from service.gate.transfer_models import TransferRequest


def count_approvers(request: TransferRequest) -> int:
    """Count the different people who approved, leaving out who cannot consent for the other side.

    A name in other capitals, with other blanks or with characters that nobody sees is the same person; a name of
    blanks is nobody. Neither party approves its own transfer, but a lienholder gives up a lien.
    """
    interested = [request.seller, None if request.action == "release" else request.buyer]
    refs = {_fold_name(party.investor_ref) for party in interested if party is not None}
    return len({_fold_name(each.approver) for each in request.approvals} - refs - {""})


def _fold_name(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(each for each in folded if unicodedata.category(each)[0] not in "CZ")
