#!/bin/sh
# Issue, hold, present, decide: one real call each, against `make serve` in another terminal.
# Needs curl. BASE, DATA_DIR and WALLET may name other places than the defaults.
set -eu
BASE=${BASE:-http://localhost:8000} DATA_DIR=${DATA_DIR:-data} WALLET=${WALLET:-$(mktemp -d)}
PYTHON=${PYTHON:-.venv/bin/python}

member() { "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
secret() { "$PYTHON" -c 'import json, sys; o = json.load(open(sys.argv[1]))["organizations"][sys.argv[2]]
print(o["client_id"] + ":" + o["client_secret"])' "$DATA_DIR/seed.json" "$1"; }
token() { curl -sf -u "$(secret "$1")" -d grant_type=client_credentials -d "scope=$2" "$BASE/oauth/token" | member access_token; }
post() { curl -sf -H "Authorization: Bearer $1" -H 'Content-Type: application/json' -H "Idempotency-Key: $RUN-$2" "$BASE$3" -d "$4"; }
wallet() { "$PYTHON" -m service wallet "$@" --yes --home "$WALLET"; }

RUN=$(date +%s) NOW=$(date -u +%Y-%m-%dT%H:%M:%SZ)
STEPS=$("$PYTHON" -c 'import datetime; print(datetime.date.today() - datetime.timedelta(days=10))')
KYC=$(token kyc issuer) CPA=$(token accreditor issuer) PLATFORM=$(token platform 'verifier gate')

# 1. Issuers offer credentials; the investor's wallet accepts them.
offer() { post "$1" "offer-$2" /v1/credential-offers "{\"credential_configuration_id\": \"$2\", \"subject_ref\": \"case-1\", \"tx_code\": false, \"claims\": $3}" | member deep_link; }
wallet accept "$(offer "$KYC" kyc '{"given_name": "Ada", "family_name": "Example", "birthdate": "1984-02-29",
  "country": "US", "state": "NY", "us_person": true, "loa": "substantial"}')"
wallet accept "$(offer "$KYC" aml-screening '{"result": "clear", "screened_at": "'"$NOW"'", "lists": ["ofac_sdn@2026-11-20"]}')"
wallet accept "$(offer "$CPA" qualified-investor '{"jurisdiction": "US", "category": "us.ai.income",
  "method": "third_party", "steps_completed_on": "'"$STEPS"'"}')"

# 2. The platform asks for what Rule 506(c) needs; the wallet shows that and nothing else.
wallet present "$(post "$PLATFORM" ask /v1/presentation-requests '{"purpose": "us.506c", "investor_ref": "ada"}' | member deep_link)"

# 3. May ada buy 100 units?
post "$PLATFORM" trade /v1/transfers '{"security_id": "demo", "action": "primary", "seller": null,
  "buyer": {"investor_ref": "ada"}, "quantity": "100", "price": {"amount": "1000.00", "currency": "USD"}}'
