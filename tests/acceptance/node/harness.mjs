// What the runners share: the official Node SDK, unmodified, and checks that are reported as one JSON list.
import { createPublicKey } from 'node:crypto'
import { createClerkClient } from '@clerk/backend'

export const { CLERK_SECRET_KEY: secretKey, CLERK_PUBLISHABLE_KEY: publishableKey, CLERK_API_URL: apiUrl } = process.env
export const clerk = createClerkClient({ secretKey, publishableKey, apiUrl, telemetry: { disabled: true } })
const results = []
export const report = () => console.log(JSON.stringify(results))

export async function check(name, body) {
  try {
    await body()
    results.push({ name, ok: true, detail: '' })
  } catch (error) {
    results.push({ name, ok: false, detail: `${error?.stack ?? error} ${JSON.stringify(error?.errors ?? '')}` })
  }
}

export function equal(found, wanted) {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`)
  }
}

export async function refused(promise, status, code) {
  try {
    await promise
  } catch (error) {
    equal([error.status, error.errors?.[0]?.code], [status, code])
    if (!error.clerkTraceId) throw new Error('no trace id')
    return
  }
  throw new Error('was not refused')
}

export const newUser = () => clerk.users.createUser({ skipPasswordRequirement: true })
export const newSession = async () => clerk.sessions.createSession({ userId: (await newUser()).id })
export const mint = async () => {
  const session = await newSession()
  return { session, jwt: (await clerk.sessions.getToken(session.id)).jwt }
}
export const request = (headers) => new Request('http://app.test/page', { headers })
export const authenticate = (headers, options) => clerk.authenticateRequest(request(headers), options)
export const pem = async () => {
  const jwk = (await clerk.jwks.getJwks()).keys[0]
  return createPublicKey({ key: { kty: jwk.kty, n: jwk.n, e: jwk.e }, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
}
