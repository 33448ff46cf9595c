// What the official Node SDK reads from tokens: {pem, publishableKey, tokens} on standard input, a JSON list out.
import { readFileSync } from 'node:fs'
import { createClerkClient } from '@clerk/backend'

const { pem, publishableKey, tokens } = JSON.parse(readFileSync(0, 'utf8'))
const clerk = createClerkClient({ secretKey: 'sk_test_none', publishableKey, apiUrl: 'http://127.0.0.1:9', telemetry: { disabled: true } })
const read = []
for (const token of tokens) {
  const request = new Request('http://app.test/', { headers: { authorization: `Bearer ${token}` } })
  const state = await clerk.authenticateRequest(request, { jwtKey: pem })
  const auth = state.toAuth()
  read.push({
    status: state.status, role: auth?.orgRole ?? null, permissions: (auth?.orgPermissions ?? []).toSorted(),
    has: ['org:team', 'user:pro', 'org:pro'].map((plan) => auth?.has({ plan }) ?? null),
    features: ['org:audit', 'org:posts', 'user:export', 'user:audit'].map((feature) => auth?.has({ feature }) ?? null)
  })
}
console.log(JSON.stringify(read))
