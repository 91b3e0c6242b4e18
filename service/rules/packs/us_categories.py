"""United States: what a credential's category says of an investor."""

from service.rules.categories import CategoryFacts

CATEGORIES = (
    CategoryFacts(prefixes=("us.ai.",), flag="accredited", verification=True),
    CategoryFacts(prefixes=("us.qp.",), flag="qp"),
    CategoryFacts(prefixes=("us.qib",), flag="qib"),
)
