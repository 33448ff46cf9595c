// A verifier in a process of its own: the official Node SDK, unmodified. Arguments: FACTOR; settings as run.mjs has them.
// Reads lines `<when to look again, Unix ms> <token>`, verifies each token when it comes, by verifyToken and
// authenticateRequest in turns, and once more at that time. Prints `ready` after the first, and {verified, refused} when there are no more.
// FACTOR > 1: the clock of this process runs so many times as fast, and with it the SDK's cache of five minutes, which has no
// setting; the times in the tokens are then not looked at.
import { createInterface } from 'node:readline'
import { createClerkClient, verifyToken } from '@clerk/backend'

const factor = Number(process.argv[2])
const { CLERK_SECRET_KEY: secretKey, CLERK_PUBLISHABLE_KEY: publishableKey, CLERK_API_URL: apiUrl } = process.env
const now = Date.now.bind(Date)
const began = now()
if (factor > 1) Date.now = () => began + (now() - began) * factor
const clockSkewInMs = factor > 1 ? 86_400_000 : 5000
const clerk = createClerkClient({ secretKey, publishableKey, apiUrl, telemetry: { disabled: true } })
const refused = {}
let verified = 0
let ready = false

async function check(token) {
  let reason = null
  if (++verified % 2) {
    try {
      await verifyToken(token, { secretKey, apiUrl, clockSkewInMs })
    } catch (error) {
      reason = error?.reason ?? String(error)
    }
  } else {
    const request = new Request('http://app.test/page', { headers: { authorization: `Bearer ${token}` } })
    const state = await clerk.authenticateRequest(request, { clockSkewInMs })
    if (!state.isAuthenticated) reason = state.reason ?? state.status
  }
  if (reason) refused[reason] = (refused[reason] ?? 0) + 1
  if (!ready) console.log('ready')
  ready = true
}

const pending = []
for await (const line of createInterface({ input: process.stdin })) {
  const [again, token] = line.split(' ')
  pending.push(check(token))
  pending.push(new Promise((resolve) => setTimeout(resolve, again - now())).then(() => check(token)))
}
await Promise.all(pending)
console.log(JSON.stringify({ verified, refused }))
