// An issuer made of @openid4vc/openid4vci, @openid4vc/oauth2, @sd-jwt and jose. `node issuer.mjs PORT`
import { Oauth2AuthorizationServer, preAuthorizedCodeGrantIdentifier as PRE_AUTHORIZED } from '@openid4vc/oauth2'
import { Openid4vciIssuer } from '@openid4vc/openid4vci'
import { StatusList, createHeaderAndPayload } from '@sd-jwt/jwt-status-list'
import { SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
import { Answer, serve } from './http.mjs'
import { callbacksFor, newText, nowInSeconds, withoutPrivatePart } from './platform.mjs'
import { issueCredential } from './sd_jwt.mjs'

const port = Number(process.argv[2])
const identifier = `http://localhost:${port}/issuers/node`
const path = '/issuers/node'
const DAY = 86400

const key = await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey)
const kid = await calculateJwkThumbprint(key)
const publicJwk = { ...withoutPrivatePart(key), kid, alg: 'ES256', use: 'sig' }
const callbacks = callbacksFor(key)
const issuer = new Openid4vciIssuer({ callbacks })
const server = new Oauth2AuthorizationServer({ callbacks })

const credentialIssuer = issuer.createCredentialIssuerMetadata({
  credential_issuer: identifier,
  credential_endpoint: `${identifier}/credential`,
  nonce_endpoint: `${identifier}/nonce`,
  notification_endpoint: `${identifier}/notification`,
  batch_credential_issuance: { batch_size: 5 },
  display: [{ name: 'Issuer in Node.js', locale: 'en-US' }],
  credential_configurations_supported: {
    identity: {
      format: 'dc+sd-jwt',
      vct: 'urn:goodstanding:vct:kyc:1',
      cryptographic_binding_methods_supported: ['jwk'],
      credential_signing_alg_values_supported: ['ES256'],
      proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
      credential_metadata: { display: [{ name: 'Identity', locale: 'en-US' }] },
    },
  },
})
const authorizationServer = server.createAuthorizationServerMetadata({
  issuer: identifier,
  token_endpoint: `${identifier}/token`,
  grant_types_supported: [PRE_AUTHORIZED],
  'pre-authorized_grant_anonymous_access_supported': true,
})
const issuerMetadata = {
  credentialIssuer,
  authorizationServers: [authorizationServer],
  originalDraftVersion: 'V1',
  knownCredentialConfigurations: issuer.getKnownCredentialConfigurationsSupported(credentialIssuer),
}

const lists = new Map() // by address: statuses, next index, and whether it is served
const offers = new Map() // by code
const tokens = new Map() // access token to offer
const nonces = new Set()
const notifications = []
let listUri // of the list that is being filled
let lastOffer

/** Begin a new status list; what is issued from now on is in it. */
function beginList() {
  listUri = `${identifier}/status/${lists.size + 1}`
  const uri = listUri
  lists.set(uri, { statuses: new StatusList(new Array(1024).fill(0), 2), used: 0, isServed: true })
  routes[`GET ${new URL(uri).pathname}`] = () => publishStatuses(uri)
  return { uri }
}

async function publishStatuses(uri) {
  const { statuses, isServed } = lists.get(uri)
  if (!isServed) return new Answer('{}', 'application/json', 503)
  const iat = nowInSeconds()
  const claims = { iss: identifier, sub: uri, iat, exp: iat + DAY, ttl: 1 }
  const { header, payload } = createHeaderAndPayload(statuses, claims, { alg: 'ES256', typ: 'statuslist+jwt', kid })
  const token = await new SignJWT(payload).setProtectedHeader(header).sign(await importJWK(key, 'ES256'))
  return new Answer(token, 'application/statuslist+jwt')
}

async function issue(claims, holderJwk) {
  const list = lists.get(listUri)
  const idx = list.used++
  const iat = nowInSeconds()
  const payload = {
    iss: identifier,
    vct: 'urn:goodstanding:vct:kyc:1',
    iat,
    exp: iat + 30 * DAY,
    cnf: { jwk: holderJwk },
    status: { status_list: { uri: listUri, idx } },
    ...claims,
  }
  return { idx, credential: await issueCredential(payload, Object.keys(claims), { key, kid }) }
}

async function giveToken(form, request) {
  const { grant, accessTokenRequest } = server.parseAccessTokenRequest({
    accessTokenRequest: form,
    request: { method: 'POST', url: `${identifier}/token`, headers: new Headers(request.headers) },
  })
  const offer = offers.get(grant.preAuthorizedCode)
  await server.verifyPreAuthorizedCodeAccessTokenRequest({
    grant,
    accessTokenRequest,
    request: { method: 'POST', url: `${identifier}/token`, headers: new Headers(request.headers) },
    authorizationServerMetadata: authorizationServer,
    expectedPreAuthorizedCode: offer?.code ?? '',
    expectedTxCode: offer?.txCode,
  })
  offers.delete(offer.code)
  const answer = await server.createAccessTokenResponse({
    audience: identifier,
    authorizationServer: identifier,
    expiresInSeconds: 300,
    signer: { method: 'jwk', publicJwk, alg: 'ES256' },
    subject: offer.code,
    additionalAccessTokenResponsePayload: offer.identifier && {
      authorization_details: [
        { type: 'openid_credential', credential_configuration_id: 'identity', credential_identifiers: [offer.identifier] },
      ],
    },
  })
  tokens.set(answer.access_token, offer)
  return answer
}

function giveNonce() {
  const nonce = newText()
  nonces.add(nonce)
  return issuer.createNonceResponse({ cNonce: nonce })
}

const grantOf = (request) => tokens.get((request.headers.authorization ?? '').replace('Bearer ', ''))

async function giveCredentials(body, request) {
  const offer = grantOf(request)
  if (!offer) return new Answer('{"error":"invalid_token"}', 'application/json', 401)
  const parsed = issuer.parseCredentialRequest({ issuerMetadata, credentialRequest: body })
  const asked = parsed.credentialIdentifier ?? parsed.credentialConfigurationId
  if (asked !== (offer.identifier ?? 'identity')) throw new Error(`${asked} was not granted`)
  const credentials = []
  for (const jwt of parsed.proofs.jwt) {
    const expectedNonce = [...nonces][0]
    const { signer } = await issuer.verifyCredentialRequestJwtProof({ issuerMetadata, jwt, expectedNonce })
    credentials.push({ credential: (await issue(offer.claims, signer.publicJwk)).credential })
  }
  nonces.clear()
  return issuer.createCredentialResponse({ credentials, credentialRequest: parsed, notificationId: newText() })
}

async function makeOffer({ claims, txCode, useIdentifier, byValue }) {
  const offer = { code: newText(), claims, txCode, identifier: useIdentifier ? newText() : undefined }
  offers.set(offer.code, offer)
  const grant = { 'pre-authorized_code': offer.code, tx_code: txCode && { input_mode: 'text', length: txCode.length } }
  const { credentialOffer, credentialOfferObject } = await issuer.createCredentialOffer({
    issuerMetadata,
    credentialConfigurationIds: ['identity'],
    grants: { [PRE_AUTHORIZED]: grant },
    credentialOfferUri: byValue ? undefined : `${identifier}/offer`,
  })
  lastOffer = credentialOfferObject
  return { link: credentialOffer }
}
const routes = {
  [`GET /.well-known/openid-credential-issuer${path}`]: () => credentialIssuer,
  [`GET /.well-known/oauth-authorization-server${path}`]: () => authorizationServer,
  [`GET /.well-known/jwt-vc-issuer${path}`]: () => ({ issuer: identifier, jwks: { keys: [publicJwk] } }),
  [`GET ${path}/offer`]: () => lastOffer,
  [`POST ${path}/token`]: giveToken,
  [`POST ${path}/nonce`]: giveNonce,
  [`POST ${path}/credential`]: giveCredentials,
  [`POST ${path}/notification`]: (body) => {
    notifications.push(body.event)
    return new Answer(undefined, 'application/json', 204)
  },
  'POST /control/offer': makeOffer,
  'POST /control/credential': ({ claims, holderJwk }) => issue(claims, holderJwk),
  'POST /control/list': beginList,
  'POST /control/status': ({ uri, idx, value }) => lists.get(uri).statuses.setStatus(idx, value),
  'POST /control/outage': ({ uri }) => {
    lists.get(uri).isServed = false
  },
  'POST /control/notifications': () => ({ events: notifications.splice(0) }),
}

beginList()
serve(port, routes)
