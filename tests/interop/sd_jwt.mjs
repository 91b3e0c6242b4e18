// SD-JWT VC as @sd-jwt/sd-jwt-vc sees it.
import { digest, generateSalt } from '@sd-jwt/crypto-nodejs'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { compactVerify, decodeJwt, decodeProtectedHeader, importJWK } from 'jose'
import { createPrivateKey, sign } from 'node:crypto'
import { fetchJson, wellKnown } from './platform.mjs'

const shared = { hasher: digest, hashAlg: 'sha-256', saltGenerator: generateSalt }

/** A function that signs as JWS asks: R||S for ECDSA, plain for EdDSA. */
export function signerOf(privateJwk) {
  const key = { key: createPrivateKey({ key: privateJwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }
  const hash = { 'P-256': 'sha256', 'P-384': 'sha384' }[privateJwk.crv] ?? null
  return async (data) => sign(hash, Buffer.from(data), key).toString('base64url')
}

async function hasSignature(data, signature, jwk, alg) {
  try {
    await compactVerify(`${data}.${signature}`, await importJWK(jwk, alg))
    return true
  } catch {
    return false
  }
}

const headerOf = (data) => decodeProtectedHeader(`${data}.`)

/** Check a signature with the key that the issuer publishes under the `kid` of what it signed. */
function issuerVerifier(issuer) {
  return async (data, signature) => {
    const { kid, alg } = headerOf(data)
    const metadata = await fetchJson(wellKnown(issuer, 'jwt-vc-issuer'))
    if (metadata.issuer !== issuer) throw new Error('The metadata are about another issuer')
    const jwk = metadata.jwks.keys.find((key) => key.kid === kid)
    return jwk !== undefined && hasSignature(data, signature, jwk, alg)
  }
}

const holderVerifier = async (data, signature, payload) =>
  hasSignature(data, signature, payload.cnf.jwk, headerOf(data).alg)

/** Verify signature, times, status and key binding; `nonce` is needed for a presentation only. */
export async function verifyCredential(compact, { nonce, vctFetcher } = {}) {
  const { iss } = decodeJwt(compact.split('~')[0])
  const instance = new SDJwtVcInstance({
    ...shared,
    verifier: issuerVerifier(iss),
    statusVerifier: issuerVerifier(iss),
    kbVerifier: holderVerifier,
    vctFetcher,
    loadTypeMetadataFormat: vctFetcher !== undefined,
  })
  return instance.verify(compact, nonce === undefined ? {} : { keyBindingNonce: nonce })
}

/** All claims that a holder sees, disclosed ones included. */
export const readClaims = (compact) => new SDJwtVcInstance(shared).getClaims(compact)

export function issueCredential(claims, disclosable, { key, kid }) {
  const instance = new SDJwtVcInstance({ ...shared, signer: signerOf(key), signAlg: 'ES256' })
  return instance.issue(claims, { _sd: disclosable }, { header: { kid } })
}

/** Show only `names`, bound to a verifier. */
export function presentCredential(compact, names, { key, alg, audience, nonce, issuedAt, hashes = [] }) {
  const instance = new SDJwtVcInstance({ ...shared, kbSigner: signerOf(key), kbSignAlg: alg })
  const frame = Object.fromEntries(names.map((name) => [name, true]))
  const agreed = hashes.length ? { transaction_data_hashes: hashes, transaction_data_hashes_alg: 'sha-256' } : {}
  return instance.present(compact, frame, { kb: { payload: { iat: issuedAt, aud: audience, nonce, ...agreed } } })
}
