// The official Node SDK, unmodified, as the reference for what a request is. Reads one JSON object a line:
// {method, url, headers, now, client, options}; writes one a line: {state, reason, location, cookies, auth}.
// `client` are the settings of createClerkClient, `options` those of authenticateRequest, `now` the clock in Unix ms.
import { createInterface } from 'node:readline'
import { createClerkClient } from '@clerk/backend'

console.error = console.warn = () => {}
const log = console.log.bind(console)
console.log = () => {}
let now = 0
Date.now = () => now
const clients = new Map()

function clientOf(settings) {
  const key = JSON.stringify(settings)
  if (!clients.has(key)) clients.set(key, createClerkClient({ ...settings, telemetry: { disabled: true } }))
  return clients.get(key)
}

async function answer(asked) {
  now = asked.now
  try {
    const request = new Request(asked.url, { method: asked.method, headers: asked.headers })
    const state = await clientOf(asked.client).authenticateRequest(request, asked.options)
    const auth = state.status === 'signed-in' ? state.toAuth({ treatPendingAsSignedOut: false }) : null
    return {
      state: state.status,
      reason: state.reason,
      location: state.headers.get('location'),
      cookies: state.headers.getSetCookie(),
      auth: auth && {
        session: auth.sessionId ?? null,
        user: auth.userId ?? null,
        actor: auth.actor ?? null,
        organization: auth.orgId ?? null,
        slug: auth.orgSlug ?? null,
        role: auth.orgRole ?? null,
        permissions: [...(auth.orgPermissions ?? [])].sort(),
        ages: auth.factorVerificationAge ?? null,
      },
    }
  } catch (error) {
    return { state: 'thrown', reason: String(error?.message ?? error) }
  }
}

// One after the other: the clock is one for all.
for await (const line of createInterface({ input: process.stdin })) log(JSON.stringify(await answer(JSON.parse(line))))
