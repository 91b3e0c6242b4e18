// A wallet made of @openid4vc/openid4vci, @openid4vc/openid4vp, dcql, @sd-jwt and jose.
import { createHash } from 'node:crypto'
import {
  clientAuthenticationClientAttestationJwt,
  clientAuthenticationNone,
  fetchAuthorizationServerMetadata,
  fetchJwks,
  Oauth2Client,
  resourceRequest,
} from '@openid4vc/oauth2'
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { DcqlQuery } from 'dcql'
import { base64url, compactDecrypt, compactVerify, decodeJwt, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose'
import { callbacksFor, newText, nowInSeconds, runCommand, trusted, withoutPrivatePart } from './platform.mjs'
import { presentCredential, readClaims, verifyCredential } from './sd_jwt.mjs'

async function newKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  return { ...(await exportJWK(privateKey)), alg }
}

function signerFor({ alg, ...key }, binding) {
  const publicJwk = withoutPrivatePart(key)
  if (binding === 'jwk') return { method: 'jwk', publicJwk, alg }
  const did = `did:jwk:${base64url.encode(JSON.stringify(publicJwk))}`
  return { method: 'did', didUrl: `${did}#0`, alg }
}

/** The library asks for credentials by configuration only, so a request by identifier is put together by hand. */
async function requestByIdentifier({ callbacks, issuerMetadata, accessToken, details, proofs }) {
  const answer = await resourceRequest({
    callbacks,
    accessToken,
    url: issuerMetadata.credentialIssuer.credential_endpoint,
    requestOptions: {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ credential_identifier: details[0].credential_identifiers[0], proofs }),
    },
  })
  if (!answer.ok) throw new Error(`${answer.response.status}: ${await answer.response.text()}`)
  return answer.response.json()
}

async function proveKeys(client, keys, binding, { issuerMetadata, credentialConfigurationId }) {
  const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata })
  const prove = (key) =>
    client.createCredentialRequestJwtProof({
      issuerMetadata,
      credentialConfigurationId,
      signer: signerFor(key, binding),
      nonce,
      issuedAt: new Date(),
    })
  return { jwt: (await Promise.all(keys.map(prove))).map(({ jwt }) => jwt) }
}

/** Have the maker of the wallet vouch for `instance`, and send that with every request to a token endpoint. */
async function authenticateAttested(callbacks, { provider, clientId }, instance) {
  const claims = { cnf: { jwk: withoutPrivatePart(instance) }, wallet_name: 'Interop' }
  const clientAttestationJwt = await new SignJWT(claims)
    .setProtectedHeader({ typ: 'oauth-client-attestation+jwt', alg: 'ES256' })
    .setIssuer('https://maker.example')
    .setSubject(clientId)
    .setExpirationTime('1h')
    .sign(await importJWK(provider, 'ES256'))
  return clientAuthenticationClientAttestationJwt({ clientAttestationJwt, callbacks })
}

/** Be the browser of a person who agrees on the issuer's page; returns the address that the page leads to. */
async function agree(address, txCode) {
  const shown = await fetch(address)
  const text = await shown.text()
  if (!shown.ok) throw new Error(`${shown.status}: ${text}`)
  const [, action] = text.match(/<form method="post" action="([^"]+)"/)
  const fields = [...text.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g)].map(([, name, value]) => [name, value])
  const answered = await fetch(action, {
    method: 'POST',
    redirect: 'manual',
    headers: { Cookie: shown.headers.get('set-cookie').split(';')[0] },
    body: new URLSearchParams([...fields, ['decision', 'allow'], ...(txCode ? [['tx_code', txCode]] : [])]),
  })
  if (answered.status !== 303) throw new Error(`${answered.status}: ${await answered.text()}`)
  return answered.headers.get('location')
}

/** Push a request, have the person agree, redeem the code; with `again`, also use the refresh token. */
async function retrieveTokenByPage(client, asked, { clientId, redirectUri, txCode, again, additionalRequestPayload }) {
  const { credentialOffer, issuerMetadata } = asked
  const [configurationId] = credentialOffer.credential_configuration_ids
  const { scope } = issuerMetadata.credentialIssuer.credential_configurations_supported[configurationId]
  const byDetails = 'authorization_details' in additionalRequestPayload
  const request = await client.createAuthorizationRequestUrlFromOffer({
    ...asked,
    clientId,
    redirectUri,
    scope: byDetails ? undefined : scope,
    additionalRequestPayload: { ...additionalRequestPayload, state: newText() },
  })
  const [authorizationServerMetadata] = issuerMetadata.authorizationServers
  const url = await agree(request.authorizationRequestUrl, txCode)
  if (!url.startsWith(redirectUri)) throw new Error(`The browser was sent to ${url}`)
  const { code } = client.parseAndVerifyAuthorizationResponseRedirectUrl({ url, authorizationServerMetadata })
  const token = await client.retrieveAuthorizationCodeAccessTokenFromOffer({
    ...asked,
    dpop: request.dpop,
    authorizationCode: code,
    pkceCodeVerifier: request.pkce.codeVerifier,
    redirectUri,
  })
  if (!again) return token
  const { refresh_token: refreshToken } = token.accessTokenResponse
  const { callbacks } = client.options
  return new Oauth2Client({ callbacks }).retrieveRefreshTokenAccessToken({
    authorizationServerMetadata,
    refreshToken,
    dpop: token.dpop,
  })
}

async function makeProvider() {
  const { alg, ...key } = await newKey('ES256')
  return { provider: key, jwks: { keys: [withoutPrivatePart(key)] } }
}

/**
 * Redeem an offer with `keys` and `newKeys` fresh ones; with `details`, by credential identifier; with `dpopAlg`, by a
 * token bound to a key; with `attestation`, as an attested wallet; with `page`, by the issuer's page in a browser.
 */
async function receive({
  offer,
  txCode,
  keys = [],
  newKeys = 1,
  alg = 'ES256',
  binding = 'jwk',
  details = false,
  dpopAlg,
  attestation,
  page,
}) {
  const held = [...keys, ...(await Promise.all(Array.from({ length: newKeys }, () => newKey(alg))))]
  const [dpopKey, instance] = [await newKey(dpopAlg ?? 'ES256'), await newKey('ES256')]
  const callbacks = callbacksFor(...held, dpopKey, instance)
  if (page) callbacks.clientAuthentication = clientAuthenticationNone(page)
  if (attestation) callbacks.clientAuthentication = await authenticateAttested(callbacks, attestation, instance)
  const client = new Openid4vciClient({ callbacks })
  const credentialOffer = await client.resolveCredentialOffer(offer)
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
  const [credentialConfigurationId] = credentialOffer.credential_configuration_ids
  const wanted = [{ type: 'openid_credential', credential_configuration_id: credentialConfigurationId }]
  const asked = { credentialOffer, issuerMetadata, dpop: dpopAlg && { signer: signerFor(dpopKey, 'jwk') } }
  const additionalRequestPayload = details ? { authorization_details: wanted } : {}
  const { accessTokenResponse: token, dpop } = page
    ? await retrieveTokenByPage(client, asked, { ...page, txCode, additionalRequestPayload })
    : await client.retrievePreAuthorizedCodeAccessTokenFromOffer({ ...asked, txCode, additionalRequestPayload })
  const proofs = await proveKeys(client, held, binding, { issuerMetadata, credentialConfigurationId })
  const common = { issuerMetadata, accessToken: token.access_token, proofs, dpop }
  const answer = details
    ? await requestByIdentifier({ ...common, callbacks, details: token.authorization_details })
    : (await client.retrieveCredentials({ ...common, credentialConfigurationId })).credentialResponse
  const notification = { notificationId: answer.notification_id, event: 'credential_accepted' }
  const notified = await client.sendNotification({ ...common, notification })
  return {
    version: issuerMetadata.originalDraftVersion,
    known: Object.keys(issuerMetadata.knownCredentialConfigurations),
    tokenType: token.token_type,
    keys: held,
    credentials: answer.credentials.map(({ credential }) => credential),
    notified: notified.response.status,
  }
}

/** Ask for the signed form of an issuer's metadata and check it with the keys of `jwks_uri`. */
async function readSignedMetadata({ issuer }) {
  const { jwks_uri: jwksUri } = await fetchAuthorizationServerMetadata(issuer)
  const { keys } = await fetchJwks(jwksUri)
  const callbacks = {
    fetch: (url, options) => fetch(url, { ...options, headers: { Accept: 'application/jwt' } }),
    async verifyJwt({ kid, alg }, { compact }) {
      const signerJwk = keys.find((key) => key.kid === kid)
      await compactVerify(compact, await importJWK(signerJwk, alg))
      return { verified: true, signerJwk }
    },
  }
  const metadata = await new Openid4vciClient({ callbacks }).resolveIssuerMetadata(issuer)
  return { signedFor: metadata.signedCredentialIssuer?.jwt.payload.sub, known: Object.keys(metadata.knownCredentialConfigurations) }
}

async function tryToVerify(credential, vctFetcher) {
  try {
    return { valid: true, ...(await verifyCredential(credential, { vctFetcher })) }
  } catch (error) {
    return { valid: false, error: error.message }
  }
}

async function verify({ credentials, typeMetadata }) {
  const vctFetcher = typeMetadata && (async () => (await fetch(typeMetadata)).json())
  return { results: await Promise.all(credentials.map((credential) => tryToVerify(credential, vctFetcher))) }
}

async function describeHeld(credential) {
  const claims = await readClaims(credential)
  return { credential_format: 'dc+sd-jwt', vct: claims.vct, claims, cryptographic_holder_binding: true }
}

/** Choose with `dcql` which credential answers each query and which claims it shows. */
async function choose(query, credentials) {
  const parsed = DcqlQuery.parse(query)
  DcqlQuery.validate(parsed)
  const result = DcqlQuery.query(parsed, await Promise.all(credentials.map(describeHeld)))
  if (!result.can_be_satisfied) throw new Error('The query cannot be satisfied')
  return Object.entries(result.credential_matches).flatMap(([id, match]) => {
    if (!match.success) return []
    const [{ input_credential_index: index, claims }] = match.valid_credentials
    return [{ id, credential: credentials[index], names: Object.keys(claims.valid_claim_sets[0].output) }]
  })
}

/** Hashes of the transaction data that the holder agrees to with this credential. */
const hashesFor = (id, entries = []) =>
  entries
    .filter(({ transactionData }) => transactionData.credential_ids.includes(id))
    .map(({ encoded }) => createHash('sha256').update(encoded).digest('base64url'))

/** Read a request and make the answer to it; `nonce` and `audience` replace those of the request. */
async function prepare(client, { payload, origin, credentials, key, nonce, audience }) {
  const resolved = await client.resolveOpenId4vpAuthorizationRequest({ authorizationRequestPayload: payload, origin })
  const request = resolved.authorizationRequestPayload
  const chosen = await choose(resolved.dcql.query, credentials)
  const binding = {
    key,
    alg: key.alg,
    audience: audience ?? (origin ? `origin:${origin}` : resolved.client.effective),
    nonce: nonce ?? request.nonce,
    issuedAt: nowInSeconds(),
  }
  const vpToken = {}
  for (const { id, credential, names } of chosen) {
    const hashes = hashesFor(id, resolved.transactionData)
    vpToken[id] = [await presentCredential(credential, names, { ...binding, hashes })]
  }
  const serverMetadata = {
    authorization_encryption_alg_values_supported: ['ECDH-ES'],
    authorization_encryption_enc_values_supported: ['A256GCM'],
  }
  const response = await client.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request,
    authorizationResponsePayload: { vp_token: vpToken },
    jarm: request.response_mode.endsWith('.jwt') ? { encryption: { nonce: binding.nonce }, serverMetadata } : undefined,
    origin,
  })
  const shown = Object.fromEntries(chosen.map(({ id, names }) => [id, names]))
  return { resolved, request, response, shown }
}

/** Answer a request that came as a link. */
async function present({ link, anchor = '', ...holder }) {
  trusted.anchor = anchor
  const client = new Openid4vpClient({ callbacks: callbacksFor(holder.key) })
  const { params } = client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: link })
  const { resolved, request, response, shown } = await prepare(client, { payload: params, ...holder })
  const sent = await client.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request,
    authorizationResponsePayload: response.authorizationResponsePayload,
    jarm: response.jarm,
  })
  return {
    prefix: resolved.client.prefix,
    name: resolved.client.clientMetadata.client_name,
    encrypted: response.jarm !== undefined,
    shown,
    status: sent.response.status,
    body: await sent.response.json(),
  }
}

/** Answer a request of the Digital Credentials API; returns what the page gets as `data`. */
async function presentToPage({ data, origin, ...holder }) {
  const client = new Openid4vpClient({ callbacks: callbacksFor(holder.key) })
  const { resolved, response } = await prepare(client, { payload: data, origin, ...holder })
  const { vp_token } = response.authorizationResponsePayload
  return { prefix: resolved.client.prefix, data: response.jarm ? { response: response.jarm.responseJwt } : { vp_token } }
}

/** Post for a Request Object that only `jose` can open, for the libraries don't encrypt requests. */
async function fetchEncrypted({ uri }) {
  const { publicKey, privateKey } = await generateKeyPair('ECDH-ES', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'wallet', use: 'enc', alg: 'ECDH-ES' }
  const walletMetadata = { vp_formats_supported: { 'dc+sd-jwt': {} }, jwks: { keys: [jwk] } }
  const body = new URLSearchParams({ wallet_metadata: JSON.stringify(walletMetadata), wallet_nonce: 'from-node' })
  const answer = await fetch(uri, { method: 'POST', body, headers: { Accept: 'application/oauth-authz-req+jwt' } })
  const { plaintext, protectedHeader } = await compactDecrypt(await answer.text(), privateKey)
  return { type: answer.headers.get('content-type'), header: protectedHeader, claims: decodeJwt(new TextDecoder().decode(plaintext)) }
}

await runCommand({ receive, makeProvider, readSignedMetadata, verify, present, presentToPage, fetchEncrypted })
