// Data Integrity by independent libraries: credentials and presentations, made and judged.
import { readFile } from 'node:fs/promises'
import { DataIntegrityProof } from '@digitalbazaar/data-integrity'
import * as ecdsaJcs from '@digitalbazaar/ecdsa-jcs-2019-cryptosuite'
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey'
import { cryptosuite as ecdsaRdfc } from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite'
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey'
import * as eddsaJcs from '@digitalbazaar/eddsa-jcs-2022-cryptosuite'
import { cryptosuite as eddsaRdfc } from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite'
import * as vc from '@digitalbazaar/vc'
import { runCommand } from './platform.mjs'

const CONTEXTS = new URL('../../service/linked_data/contexts/', import.meta.url)
const FILES = {
  'https://www.w3.org/ns/credentials/v2': 'credentials-v2.json',
  'https://w3id.org/security/data-integrity/v2': 'data-integrity-v2.json',
  'https://w3id.org/security/multikey/v1': 'multikey-v1.json',
  'https://www.w3.org/ns/did/v1': 'did-v1.json',
  'urn:goodstanding:context:1': 'goodstanding-v1.json',
}
const SUITES = {
  'eddsa-rdfc-2022': { sign: () => eddsaRdfc, verify: () => eddsaRdfc, newKey: () => Ed25519Multikey.generate() },
  'eddsa-jcs-2022': {
    sign: eddsaJcs.createSignCryptosuite,
    verify: eddsaJcs.createVerifyCryptosuite,
    newKey: () => Ed25519Multikey.generate(),
  },
  'ecdsa-rdfc-2019': { sign: () => ecdsaRdfc, verify: () => ecdsaRdfc, newKey: newEcdsaKey },
  'ecdsa-jcs-2019': { sign: ecdsaJcs.createSignCryptosuite, verify: ecdsaJcs.createVerifyCryptosuite, newKey: newEcdsaKey },
}

function newEcdsaKey(curve) {
  return EcdsaMultikey.generate({ curve })
}

function writeDidDocument(did) {
  const key = did.slice('did:key:'.length)
  const method = { id: `${did}#${key}`, type: 'Multikey', controller: did, publicKeyMultibase: key }
  const context = ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1']
  return { '@context': context, id: did, verificationMethod: [method], assertionMethod: [method.id], authentication: [method.id] }
}

async function documentLoader(url) {
  if (url in FILES) {
    const document = JSON.parse(await readFile(new URL(FILES[url], CONTEXTS), 'utf8'))
    return { contextUrl: null, documentUrl: url, document }
  }
  const [did, fragment] = url.split('#')
  if (!did.startsWith('did:key:')) throw new Error(`nothing is loaded from ${url}`)
  const described = writeDidDocument(did)
  const method = { '@context': 'https://w3id.org/security/multikey/v1', ...described.verificationMethod[0] }
  return { contextUrl: null, documentUrl: url, document: fragment ? method : described }
}

async function newParty(suite, curve) {
  const key = await SUITES[suite].newKey(curve)
  const { publicKeyMultibase } = await key.export({ publicKey: true })
  key.controller = `did:key:${publicKeyMultibase}`
  key.id = `${key.controller}#${publicKeyMultibase}`
  return key
}

const newSuite = (suite, key) => new DataIntegrityProof({ signer: key.signer(), cryptosuite: SUITES[suite].sign() })

async function issue({ suite, curve, credential, challenge, domain }) {
  const [issuer, holder] = [await newParty(suite, curve), await newParty(suite, curve)]
  const subject = { id: holder.controller, ...credential.credentialSubject }
  const unsigned = { ...credential, issuer: issuer.controller, credentialSubject: subject }
  const held = await vc.issue({ credential: unsigned, suite: newSuite(suite, issuer), documentLoader })
  const presentation = {
    '@context': ['https://www.w3.org/ns/credentials/v2'],
    type: ['VerifiablePresentation'],
    holder: holder.controller,
    verifiableCredential: [held],
  }
  const made = { presentation, suite: newSuite(suite, holder), challenge, domain, documentLoader }
  return { credential: held, presentation: await vc.signPresentation(made) }
}

async function verify({ suite, credential, presentation, challenge, domain }) {
  const proof = new DataIntegrityProof({ cryptosuite: SUITES[suite].verify() })
  const result = presentation
    ? await vc.verify({ presentation, suite: proof, challenge, domain, documentLoader })
    : await vc.verifyCredential({ credential, suite: proof, documentLoader })
  return { valid: result.verified, error: result.error ? String(result.error.errors ?? result.error) : null }
}

await runCommand({ issue, verify })
