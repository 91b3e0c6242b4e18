// A wallet whose credential comes later, or encrypted: @openid4vc/openid4vci for the protocol, jose for what it lacks.
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { CompactEncrypt, compactDecrypt, exportJWK, generateKeyPair, importJWK } from 'jose'
import { callbacksFor, runCommand, withoutPrivatePart } from './platform.mjs'

async function newKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, crv: 'P-256' })
  return { ...(await exportJWK(privateKey)), alg }
}

/** Redeem the code of an offer and prove fresh keys. */
async function begin({ offer, newKeys = 1 }) {
  const held = await Promise.all(Array.from({ length: newKeys }, () => newKey('ES256')))
  const client = new Openid4vciClient({ callbacks: callbacksFor(...held) })
  const credentialOffer = await client.resolveCredentialOffer(offer)
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
  const [credentialConfigurationId] = credentialOffer.credential_configuration_ids
  const { accessTokenResponse } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer,
    issuerMetadata,
  })
  const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata })
  const prove = ({ alg, ...key }) =>
    client.createCredentialRequestJwtProof({
      issuerMetadata,
      credentialConfigurationId,
      signer: { method: 'jwk', publicJwk: withoutPrivatePart(key), alg },
      nonce,
      issuedAt: new Date(),
    })
  const proofs = { jwt: (await Promise.all(held.map(prove))).map(({ jwt }) => jwt) }
  return { client, issuerMetadata, credentialConfigurationId, accessToken: accessTokenResponse.access_token, proofs, held }
}

const compacts = (response) => response.credentials?.map(({ credential }) => credential)

/** Ask for a credential that may come later. */
async function ask({ offer, newKeys }) {
  const { client, held, ...request } = await begin({ offer, newKeys })
  const { credentialResponse: answer } = await client.retrieveCredentials(request)
  const { transaction_id: transactionId, interval } = answer
  return { transactionId, interval, accessToken: request.accessToken, keys: held, credentials: compacts(answer) }
}

/** Come back for it. */
async function collect({ issuer, accessToken, transactionId }) {
  const client = new Openid4vciClient({ callbacks: callbacksFor() })
  const issuerMetadata = await client.resolveIssuerMetadata(issuer)
  const { deferredCredentialResponse: answer } = await client.retrieveDeferredCredentials({
    issuerMetadata,
    accessToken,
    transactionId,
  })
  return { transactionId: answer.transaction_id, interval: answer.interval, credentials: compacts(answer) }
}

/** Send `body` encrypted to the issuer's key, ask for the answer under a key of our own, and open it. */
async function exchangeEncrypted(url, accessToken, terms, body, enc) {
  const [recipient] = terms.jwks.keys
  const mine = { ...(await newKey('ECDH-ES')), kid: 'answer', use: 'enc' }
  const wanted = { jwk: withoutPrivatePart(mine), enc }
  const plain = new TextEncoder().encode(JSON.stringify({ ...body, credential_response_encryption: wanted }))
  const request = await new CompactEncrypt(plain)
    .setProtectedHeader({ alg: recipient.alg, enc, kid: recipient.kid })
    .encrypt(await importJWK(recipient, recipient.alg))
  const headers = { Authorization: `Bearer ${accessToken}`, 'Content-Type': 'application/jwt' }
  const response = await fetch(url, { method: 'POST', headers, body: request })
  const [status, type, text] = [response.status, response.headers.get('content-type'), await response.text()]
  if (type !== 'application/jwt') return { status, type, answer: JSON.parse(text) }
  const { plaintext, protectedHeader } = await compactDecrypt(text, await importJWK(mine, 'ECDH-ES'))
  return { status, type, header: protectedHeader, answer: JSON.parse(new TextDecoder().decode(plaintext)) }
}

/** Receive a credential with request and response encrypted; a deferred one is asked for again, once. */
async function receiveEncrypted({ offer, newKeys, enc }) {
  const { issuerMetadata, credentialConfigurationId, accessToken, proofs, held } = await begin({ offer, newKeys })
  const { credentialIssuer: issuer } = issuerMetadata
  const send = (url, body) => exchangeEncrypted(url, accessToken, issuer.credential_request_encryption, body, enc)
  const first = await send(issuer.credential_endpoint, { credential_configuration_id: credentialConfigurationId, proofs })
  const exchanges = [first]
  if (first.status === 202) {
    const again = { transaction_id: first.answer.transaction_id }
    exchanges.push(await send(issuer.deferred_credential_endpoint, again))
  }
  return { exchanges, keys: held, supported: issuer.credential_response_encryption }
}

await runCommand({ ask, collect, receiveEncrypted })
