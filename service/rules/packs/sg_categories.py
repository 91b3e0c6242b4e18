"""Singapore: what a credential's category says of an investor."""

from service.rules.categories import CategoryFacts

CATEGORIES = (
    CategoryFacts(
        prefixes=("sg.",),
        value_fact="sg_class",
        values={
            "sg.ai.": "accredited",
            "sg.expert": "expert",
            "sg.institutional": "institutional",
            "sg.relevant_person": "relevant_person",
        },
        otherwise="retail",
        opt_in_fact="sg_opt_in",
    ),
)
