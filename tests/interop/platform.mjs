// What the libraries ask their user to supply: hashes, randomness, signatures, and where keys are found.
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { clientAuthenticationAnonymous } from '@openid4vc/oauth2'
import { setGlobalConfig } from '@openid4vc/utils'
import { CompactEncrypt, base64url, compactDecrypt, compactVerify, importJWK, SignJWT } from 'jose'

setGlobalConfig({ allowInsecureUrls: true }) // everything runs on loopback

export const withoutPrivatePart = ({ d, ...jwk }) => jwk
export const nowInSeconds = () => Math.floor(Date.now() / 1000)
export const newText = () => randomBytes(24).toString('base64url')

export async function fetchJson(url) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  return response.json()
}

/** Put a well-known segment between host and path. */
export function wellKnown(identifier, segment) {
  const { origin, pathname } = new URL(identifier)
  return `${origin}/.well-known/${segment}${pathname === '/' ? '' : pathname}`
}

async function resolveDidUrl(didUrl) {
  const [did, fragment] = didUrl.split('#')
  if (did.startsWith('did:jwk:')) return JSON.parse(new TextDecoder().decode(base64url.decode(did.slice(8))))
  if (!did.startsWith('did:web:')) throw new Error(`No resolver for ${did}`)
  const [host, ...path] = did.slice(8).split(':').map(decodeURIComponent)
  const scheme = host.startsWith('localhost:') ? 'http' : 'https'
  const document = await fetchJson(`${scheme}://${host}/${path.length ? path.join('/') : '.well-known'}/did.json`)
  const method = document.verificationMethod.find(({ id }) => id === didUrl || id === `#${fragment}`)
  if (document.id !== did || !method?.publicKeyJwk) throw new Error(`${didUrl} is not in the document`)
  return method.publicKeyJwk
}

/** The certification authority that this party trusts (PEM). */
export const trusted = { anchor: '' }

/** The key of a leaf certificate; its chain has to lead to the anchor, signature by signature. */
function certifiedJwk(x5c) {
  const chain = [...x5c.map((each) => Buffer.from(each, 'base64')), trusted.anchor].map((each) => new X509Certificate(each))
  const holds = chain.every((each, place) => place + 1 === chain.length || each.verify(chain[place + 1].publicKey))
  if (!holds) throw new Error('The chain is broken')
  return chain[0].publicKey.export({ format: 'jwk' })
}

function jwkOf(signer) {
  if (signer.method === 'x5c') return certifiedJwk(signer.x5c)
  return signer.method === 'did' ? resolveDidUrl(signer.didUrl) : signer.publicJwk
}

/** Callbacks for one party; `privateKeys` are the JWKs that it signs or decrypts with. */
export function callbacksFor(...privateKeys) {
  const find = (publicJwk) => {
    const found = privateKeys.find(({ x }) => x === publicJwk.x)
    if (!found) throw new Error('This party does not have the key')
    return found
  }
  return {
    fetch,
    clientAuthentication: clientAuthenticationAnonymous(),
    generateRandom: (length) => randomBytes(length),
    getX509CertificateMetadata(certificate) {
      const { subjectAltName } = new X509Certificate(Buffer.from(certificate, 'base64'))
      const names = (subjectAltName ?? '').split(', ').map((each) => each.split(/:(.*)/s))
      const listOf = (kind) => names.filter(([found]) => found === kind).map(([, name]) => name)
      return { sanDnsNames: listOf('DNS'), sanUriNames: listOf('URI') }
    },
    hash: (data, algorithm) => createHash(algorithm.replace('-', '')).update(data).digest(),
    async signJwt(signer, { header, payload }) {
      const publicJwk = await jwkOf(signer)
      const key = await importJWK(find(publicJwk), signer.alg)
      return { jwt: await new SignJWT(payload).setProtectedHeader(header).sign(key), signerJwk: publicJwk }
    },
    async verifyJwt(signer, { compact }) {
      try {
        const signerJwk = await jwkOf(signer)
        await compactVerify(compact, await importJWK(signerJwk, signer.alg))
        return { verified: true, signerJwk }
      } catch (error) {
        console.error(`signature of ${JSON.stringify(signer)}: ${error.message}`)
        return { verified: false }
      }
    },
    async encryptJwe({ publicJwk, alg, enc, apu, apv }, data) {
      const jwe = new CompactEncrypt(new TextEncoder().encode(data)).setProtectedHeader({ alg, enc, kid: publicJwk.kid })
      const agreement = Object.fromEntries(
        Object.entries({ apu, apv }).flatMap(([name, value]) => (value ? [[name, base64url.decode(value)]] : [])),
      )
      return { jwe: await jwe.setKeyManagementParameters(agreement).encrypt(await importJWK(publicJwk, alg)), encryptionJwk: publicJwk }
    },
    async decryptJwe(jwe, { jwk }) {
      const key = find(jwk)
      const { plaintext } = await compactDecrypt(jwe, await importJWK(key, key.alg))
      return { decrypted: true, decryptionJwk: jwk, payload: new TextDecoder().decode(plaintext) }
    },
  }
}

/** Run the function that the command line names on the JSON of standard input; its result goes to standard output. */
export async function runCommand(commands) {
  let input = ''
  for await (const chunk of process.stdin) input += chunk
  const result = await commands[process.argv[2]](JSON.parse(input))
  process.stdout.write(JSON.stringify(result))
}
