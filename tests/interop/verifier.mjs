// A verifier made of @openid4vc/openid4vp, dcql, @sd-jwt and jose. `node verifier.mjs PORT`
import { Openid4vpVerifier } from '@openid4vc/openid4vp'
import { DcqlPresentationResult, DcqlQuery } from 'dcql'
import { exportJWK, generateKeyPair } from 'jose'
import { Answer, serve } from './http.mjs'
import { callbacksFor, newText, withoutPrivatePart } from './platform.mjs'
import { verifyCredential } from './sd_jwt.mjs'

const port = Number(process.argv[2])
const base = `http://localhost:${port}/verifiers/node`
const path = '/verifiers/node'
const did = `did:web:localhost%3A${port}:verifiers:node`
const clientId = `decentralized_identifier:${did}`

const newKey = async (alg) => exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey)
const signingKey = await newKey('ES256')
const decryptionKey = { ...(await newKey('ECDH-ES')), kid: 'enc', alg: 'ECDH-ES', use: 'enc' }
const callbacks = callbacksFor(signingKey, decryptionKey)
const verifier = new Openid4vpVerifier({ callbacks })
const algorithms = { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] }

let current // the request that is being answered: its payload and what came back

async function makeRequest({ query, responseMode, usePost }) {
  const authorizationRequestPayload = {
    client_id: clientId,
    response_type: 'vp_token',
    response_mode: responseMode,
    response_uri: `${base}/response`,
    nonce: newText(),
    state: newText(),
    dcql_query: query,
    client_metadata: {
      client_name: 'Verifier in Node.js',
      vp_formats_supported: { 'dc+sd-jwt': algorithms },
      jwks: { keys: [withoutPrivatePart(decryptionKey)] },
      encrypted_response_enc_values_supported: ['A128GCM', 'A256GCM'],
    },
  }
  current = { payload: authorizationRequestPayload, result: null }
  const { authorizationRequest } = await sign()
  return { link: authorizationRequest + (usePost ? '&request_uri_method=post' : '') }
}

/** Sign the request, with the wallet's own nonce if it sent one. */
async function sign({ wallet_nonce } = {}) {
  return verifier.createOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: { ...current.payload, wallet_nonce },
    wallet: { expectedNonce: wallet_nonce },
    jar: {
      jwtSigner: { method: 'did', didUrl: `${did}#key-1`, alg: 'ES256' },
      requestUri: `${base}/request`,
      expiresInSeconds: 300,
      additionalJwtPayload: { aud: 'https://self-issued.me/v2' },
    },
  })
}

async function giveRequest(form) {
  const { jar } = await sign(form)
  return new Answer(jar.authorizationRequestJwt, 'application/oauth-authz-req+jwt')
}

async function verifyPresentation(compact) {
  const { payload, kb } = await verifyCredential(compact, { nonce: current.payload.nonce })
  if (kb.payload.aud !== clientId) throw new Error(`The presentation is meant for ${kb.payload.aud}`)
  return { credential_format: 'dc+sd-jwt', vct: payload.vct, claims: payload, cryptographic_holder_binding: true }
}

async function takeResponse(authorizationResponse) {
  if (authorizationResponse.error) {
    current.result = { error: authorizationResponse.error }
    return {}
  }
  const parsed = await verifier.parseOpenid4vpAuthorizationResponse({
    authorizationResponse,
    authorizationRequestPayload: current.payload,
    callbacks,
  })
  const verified = {}
  for (const [id, presentations] of Object.entries(parsed.dcql.presentations)) {
    verified[id] = await Promise.all(presentations.map(verifyPresentation))
  }
  const result = DcqlPresentationResult.fromDcqlPresentation(verified, { dcqlQuery: DcqlQuery.parse(current.payload.dcql_query) })
  DcqlPresentationResult.validate(result)
  const claims = Object.fromEntries(Object.entries(verified).map(([id, [first]]) => [id, first.claims]))
  current.result = { encrypted: parsed.jarm !== undefined, claims }
  return { redirect_uri: `${base}/done` }
}

serve(port, {
  [`GET ${path}/did.json`]: () => ({
    id: did,
    verificationMethod: [
      { id: `${did}#key-1`, type: 'JsonWebKey', controller: did, publicKeyJwk: withoutPrivatePart(signingKey) },
    ],
    authentication: [`${did}#key-1`],
    assertionMethod: [`${did}#key-1`],
  }),
  [`GET ${path}/request`]: giveRequest,
  [`POST ${path}/request`]: giveRequest,
  [`POST ${path}/response`]: takeResponse,
  'POST /control/request': makeRequest,
  'POST /control/result': () => current.result,
})
