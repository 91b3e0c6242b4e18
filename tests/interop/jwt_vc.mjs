// JWT VCs and JWT VPs as did-jwt-vc sees them. `node jwt_vc.mjs COMMAND`, values as JSON on standard input.
import { ES256Signer } from 'did-jwt'
import {
  createVerifiableCredentialJwt,
  createVerifiablePresentationJwt,
  verifyCredential,
  verifyPresentation,
} from 'did-jwt-vc'
import { fetchJson, runCommand } from './platform.mjs'

/** The document of a did:jwk, or of a did:web on this machine. */
async function resolveDocument(did) {
  if (did.startsWith('did:jwk:')) {
    const publicKeyJwk = JSON.parse(Buffer.from(did.slice('did:jwk:'.length), 'base64url').toString())
    const method = { id: `${did}#0`, type: 'JsonWebKey2020', controller: did, publicKeyJwk }
    return { id: did, verificationMethod: [method], authentication: [method.id], assertionMethod: [method.id] }
  }
  const [host, ...path] = did.slice('did:web:'.length).split(':')
  return fetchJson(`http://${decodeURIComponent(host)}/${path.join('/')}/did.json`)
}

const resolver = {
  resolve: async (did) => ({
    didResolutionMetadata: { contentType: 'application/did+json' },
    didDocument: await resolveDocument(did),
    didDocumentMetadata: {},
  }),
}

const signerOf = ({ key, did }) => ({ did, alg: 'ES256', signer: ES256Signer(Buffer.from(key.d, 'base64url')) })

/** Issue a credential, its members kept beside the JWT's claims if `keep`. */
async function issue({ issuer, credential, keep = false }) {
  const options = { removeOriginalFields: !keep }
  return { jwt: await createVerifiableCredentialJwt(credential, signerOf(issuer), options) }
}

async function present({ holder, credentials, nonce, audience }) {
  const presentation = {
    '@context': ['https://www.w3.org/2018/credentials/v1'],
    type: ['VerifiablePresentation'],
    verifiableCredential: credentials,
    holder: holder.did,
    issuanceDate: new Date().toISOString(),
  }
  const options = { challenge: nonce, domain: audience }
  return { jwt: await createVerifiablePresentationJwt(presentation, signerOf(holder), options) }
}

async function judge(verify) {
  try {
    return { valid: true, ...(await verify()) }
  } catch (error) {
    return { valid: false, error: error.message }
  }
}

const check = ({ jwt }) =>
  judge(async () => ({ credential: (await verifyCredential(jwt, resolver)).verifiableCredential }))

const checkPresentation = ({ jwt, nonce, audience }) =>
  judge(async () => {
    const { verifiablePresentation } = await verifyPresentation(jwt, resolver, { challenge: nonce, domain: audience })
    for (const each of verifiablePresentation.verifiableCredential) await verifyCredential(each.proof.jwt, resolver)
    return { holder: verifiablePresentation.holder, credentials: verifiablePresentation.verifiableCredential }
  })

await runCommand({ issue, present, check, checkPresentation })
