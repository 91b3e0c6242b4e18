"""Malaysia: what a credential's category says of an investor."""

from service.rules.categories import CategoryFacts

CATEGORIES = (
    CategoryFacts(prefixes=("my.si.",), value_fact="my_class", values={"my.si.": "sophisticated"}, otherwise="retail"),
)
