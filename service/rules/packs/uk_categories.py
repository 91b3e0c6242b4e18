"""United Kingdom: what a credential's category says of an investor."""

from service.rules.categories import CategoryFacts

CATEGORIES = (
    CategoryFacts(prefixes=("uk.qi",), flag="uk_qi"),
    CategoryFacts(
        prefixes=("uk.fpo48.hnw", "uk.fpo50a.soph"),
        value_fact="uk_statement",
        values={"uk.fpo48.hnw": "hnw", "uk.fpo50a.soph": "sophisticated"},
        date_fact="uk_statement_signed_on",
    ),
)
