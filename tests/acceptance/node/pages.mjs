// An application whose server renders pages: @clerk/backend decides who is there. Prints its port when it listens.
import { createServer } from 'node:http'
import { createClerkClient } from '@clerk/backend'

const { CLERK_SECRET_KEY, CLERK_PUBLISHABLE_KEY, CLERK_API_URL, CLERK_PROXY_URL, PAGE_HOST, PAGE_PORT, PAGE_OPTIONS,
  PAGE_LOSES } = process.env
const clerk = createClerkClient({
  secretKey: CLERK_SECRET_KEY, publishableKey: CLERK_PUBLISHABLE_KEY, apiUrl: CLERK_API_URL,
  telemetry: { disabled: true }
})
const options = { proxyUrl: CLERK_PROXY_URL, ...JSON.parse(PAGE_OPTIONS ?? '{}') }

const server = createServer(async (incoming, outgoing) => {
  // As behind a proxy that lets nothing of a handshake through.
  if (PAGE_LOSES) incoming.headers.cookie = incoming.headers.cookie?.replaceAll(PAGE_LOSES, 'lost')
  const request = new Request(`http://${incoming.headers.host}${incoming.url}`, { headers: incoming.headers })
  try {
    const state = await clerk.authenticateRequest(request, options)
    const headers = [...state.headers].filter(([name]) => name !== 'set-cookie')
    for (const [name, value] of headers) outgoing.setHeader(name, value)
    outgoing.setHeader('Set-Cookie', state.headers.getSetCookie())
    if (state.headers.get('location')) return outgoing.writeHead(307).end()
    const { userId, sessionId, orgId } = state.toAuth() ?? {}
    outgoing.setHeader('Content-Type', 'application/json')
    outgoing.end(JSON.stringify({ status: state.status, reason: state.reason, userId, sessionId, orgId }))
  } catch (error) {
    outgoing.writeHead(500).end(String(error))
  }
})
server.listen(Number(PAGE_PORT ?? 0), PAGE_HOST ?? '127.0.0.1', () => console.log(server.address().port))
