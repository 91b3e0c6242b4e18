"""European Union: what a credential's category says of an investor."""

from service.rules.categories import CategoryFacts

CATEGORIES = (
    CategoryFacts(prefixes=("eu.pro.", "eu.qi"), flag="eu_qi"),
    CategoryFacts(prefixes=("eu.ecspr.sophisticated",), flag="sophisticated", date_fact="sophisticated_approved_on"),
)
