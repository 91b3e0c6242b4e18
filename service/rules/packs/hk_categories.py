"""Hong Kong: what a credential's category says of an investor."""

from service.rules.categories import CategoryFacts

CATEGORIES = (
    CategoryFacts(
        prefixes=("hk.pi.",),
        flag="hk_pi",
        value_fact="hk_pi_class",
        values={f"hk.pi.{name}": name for name in ("institutional", "individual", "corporate", "trust", "holding")},
        date_fact="hk_pi_evidence_on",
    ),
)
