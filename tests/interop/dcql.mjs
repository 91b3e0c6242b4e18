// The `dcql` library as an oracle: what it finds for queries among credentials.
import { DcqlQuery } from 'dcql'
import { runCommand } from './platform.mjs'

const describe = ({ vct, claims, akis }) => ({
  credential_format: 'dc+sd-jwt',
  vct,
  claims,
  cryptographic_holder_binding: 'cnf' in claims,
  ...(akis ? { authority: { type: 'aki', values: akis } } : {}),
})

function judge({ query, credentials }) {
  const parsed = DcqlQuery.parse(query)
  DcqlQuery.validate(parsed)
  const result = DcqlQuery.query(parsed, credentials.map(describe))
  const matches = Object.entries(result.credential_matches).map(([id, match]) => {
    const found = match.success ? match.valid_credentials : []
    return [id, found.map((each) => each.input_credential_index)]
  })
  return { satisfied: result.can_be_satisfied, matches: Object.fromEntries(matches) }
}

await runCommand({ judge: ({ cases }) => ({ results: cases.map(judge) }) })
