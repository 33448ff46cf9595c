// A browser's credentials through the official Node SDK: client token, refresh, handshakes with nonce and token.
import { check, clerk, equal, refused, report } from './harness.mjs'

const browser = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => name.startsWith('BROWSER_'))
    .map(([name, value]) => [name.slice(8).toLowerCase(), value])
)
const origin = 'http://app.test'
const cookie = (cookies) => Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ')
// Suffixed cookies, as a server reads them of a browser; with pk_test keys it looks for a dev browser too.
const jar = (session) => ({
  [`__session_${browser.suffix}`]: session,
  __session: session,
  [`__client_uat_${browser.suffix}`]: browser.client_uat,
  __client_uat: browser.client_uat,
  __clerk_db_jwt: 'dvb_1',
  [`__clerk_db_jwt_${browser.suffix}`]: 'dvb_1'
})
const visit = (cookies, query = '') => clerk.authenticateRequest(
  new Request(`${origin}/page${query}`, { headers: { cookie: cookie(cookies), 'sec-fetch-dest': 'document' } })
)
const later = async (milliseconds, body) => {
  const now = Date.now
  Date.now = () => now() + milliseconds
  try {
    return await body()
  } finally {
    Date.now = now
  }
}

await check('a client by its token', async () => {
  const client = await clerk.clients.verifyClient(browser.client_token)
  equal([client.id, client.sessionIds, client.lastActiveSessionId],
    [browser.client_id, [browser.session_id], browser.session_id])
})
await check('a client by a token that is none', async () => {
  for (const token of ['x', browser.session_token]) {
    await refused(clerk.clients.verifyClient(token), 400, 'cookie_invalid')
  }
})
await check('a visit with an expired token, without a refresh token', async () => {
  const state = await later(30_000, () => visit(jar(browser.session_token)))
  equal([state.status, state.reason], ['handshake', 'session-token-expired-refresh-non-eligible-no-refresh-cookie'])
})
await check('a visit with an expired token and its refresh token', async () => {
  const cookies = { ...jar(browser.session_token), [`__refresh_${browser.suffix}`]: browser.refresh_token }
  const states = await later(30_000, () => Promise.all([visit(cookies), visit(cookies), visit(cookies)]))
  for (const state of states) {
    equal([state.status, state.toAuth()?.sessionId], ['signed-in', browser.session_id])
    const set = state.headers.getSetCookie()
    equal(set.map((text) => text.split('=')[0]), [`__session_${browser.suffix}`, '__session'])
    equal(set.map((text) => text.includes('Secure')), [false, false])
  }
  equal(new Set(states.map((state) => state.token)).size, 1)
})
await check('a visit whose refresh is refused', async () => {
  const cookies = { ...jar(browser.session_token), [`__refresh_${browser.suffix}`]: 'nobody' }
  const state = await later(30_000, () => visit(cookies))
  equal([state.status, state.reason], ['handshake', 'session-token-expired-refresh-refresh_token_not_found'])
})
await check('refresh by itself', async () => {
  const made = await clerk.sessions.refreshSession(browser.session_id, {
    format: 'token', expiredToken: browser.session_token, refreshToken: browser.refresh_token,
    requestOrigin: origin, requestHeaders: { a: ['b'] }
  })
  equal(made.jwt.split('.').length, 3)
})
await check('a handshake with a token', async () => {
  const state = await visit({ __clerk_db_jwt: 'dvb_1' }, `?__clerk_handshake=${browser.handshake_token}`)
  equal([state.status, state.toAuth()?.sessionId], ['signed-in', browser.session_id])
  const names = state.headers.getSetCookie().map((text) => text.split('=')[0])
  equal(names.filter((name) => name.startsWith('__')).length, 5)
})
await check('a handshake with a nonce, once', async () => {
  const state = await visit({ __clerk_db_jwt: 'dvb_1' }, `?__clerk_handshake_nonce=${browser.nonce}`)
  equal([state.status, state.toAuth()?.sessionId], ['signed-in', browser.session_id])
  await refused(clerk.clients.getHandshakePayload({ nonce: browser.nonce }), 404, 'resource_not_found')
})
await check('T-21: a handshake token in the place of a session token', async () => {
  const state = await visit(jar(browser.handshake_token))
  equal(state.status === 'signed-in', false)
})

report()
