// The official Node SDK, unmodified, through every operation. Prints one JSON list of {name, ok, detail}.
import { createClerkClient, verifyToken } from '@clerk/backend'
import {
  apiUrl, authenticate, check, clerk, equal, mint, newSession, newUser, pem, publishableKey, refused, report, request, secretKey
} from './harness.mjs'

await check('create and get a session', async () => {
  const session = await newSession()
  equal(session.status, 'active')
  equal((await clerk.sessions.getSession(session.id)).id, session.id)
  equal(session.expireAt - session.createdAt, 604800000)
})
await check('list sessions in pages', async () => {
  const user = await newUser()
  const ids = []
  for (let i = 0; i < 3; i++) ids.unshift((await clerk.sessions.createSession({ userId: user.id })).id)
  const page = await clerk.sessions.getSessionList({ userId: user.id, limit: 2 })
  equal([page.data.map((s) => s.id), page.totalCount], [ids.slice(0, 2), 3])
  const rest = await clerk.sessions.getSessionList({ userId: user.id, limit: 2, offset: 2 })
  equal(rest.data.map((s) => s.id), ids.slice(2))
})
await check('list by status and client', async () => {
  const session = await newSession()
  await clerk.sessions.revokeSession(session.id)
  const query = { clientId: session.clientId }
  equal((await clerk.sessions.getSessionList({ ...query, status: 'active' })).totalCount, 0)
  equal((await clerk.sessions.getSessionList({ ...query, status: 'revoked' })).totalCount, 1)
})
await check('revoke twice', async () => {
  const session = await newSession()
  equal((await clerk.sessions.revokeSession(session.id)).status, 'revoked')
  equal((await clerk.sessions.revokeSession(session.id)).status, 'revoked')
})
await check('verify a session by its token', async () => {
  const { session, jwt } = await mint()
  equal((await clerk.sessions.verifySession(session.id, jwt)).id, session.id)
  await clerk.sessions.revokeSession(session.id)
  await refused(clerk.sessions.verifySession(session.id, jwt), 404, 'resource_not_found')
})
await check('verifyToken by the key set', async () => {
  const { session, jwt } = await mint()
  const claims = await verifyToken(jwt, { secretKey, apiUrl })
  equal([claims.sid, claims.sub, claims.v], [session.id, session.userId, 2])
})
await check('verifyToken by the PEM', async () => {
  const { session, jwt } = await mint()
  equal((await verifyToken(jwt, { jwtKey: await pem() })).sid, session.id)
})
await check('verifyToken refuses a changed token', async () => {
  const { jwt } = await mint()
  const broken = jwt.slice(0, -8) + (jwt.endsWith('AAAAAAAA') ? 'BBBBBBBB' : 'AAAAAAAA')
  let reason = 'accepted'
  await verifyToken(broken, { secretKey, apiUrl }).catch((error) => { reason = error.reason })
  equal(reason, 'token-invalid-signature')
})
await check('a token with a lifetime of its own', async () => {
  const session = await newSession()
  const { jwt } = await clerk.sessions.getToken(session.id, undefined, 120)
  const claims = await verifyToken(jwt, { secretKey, apiUrl })
  equal(claims.exp - claims.iat, 120)
})
await check('authenticateRequest with a bearer token', async () => {
  const { session, jwt } = await mint()
  const state = await authenticate({ authorization: `Bearer ${jwt}` })
  equal([state.status, state.toAuth()?.sessionId, state.toAuth()?.userId], ['signed-in', session.id, session.userId])
})
await check('authenticateRequest with cookies', async () => {
  const { session, jwt } = await mint()
  const state = await authenticate({ cookie: `__session=${jwt}; __client_uat=1; __clerk_db_jwt=dvb_1` })
  equal([state.status, state.toAuth()?.sessionId], ['signed-in', session.id])
})
await check('authenticateRequest refuses what has expired', async () => {
  const { jwt } = await mint()
  const late = Date.now
  Date.now = () => late() + 120_000
  try {
    const state = await authenticate({ authorization: `Bearer ${jwt}` })
    equal([state.status, state.reason.includes('expired')], ['signed-out', true])
  } finally {
    Date.now = late
  }
})
await check('authenticateRequest without a token', async () => {
  equal((await authenticate({})).status, 'signed-out')
})
await check('authenticateRequest with a wrong secret key', async () => {
  const { jwt } = await mint()
  const stranger = createClerkClient({ secretKey: 'sk_test_' + '0'.repeat(32), publishableKey, apiUrl, telemetry: { disabled: true } })
  const state = await stranger.authenticateRequest(request({ authorization: `Bearer ${jwt}` }))
  equal([state.status, state.reason], ['signed-out', 'secret-key-invalid'])
  await refused(stranger.sessions.getSessionList({}), 401, 'clerk_key_invalid')
})
await check('clients', async () => {
  const session = await newSession()
  const client = await clerk.clients.getClient(session.clientId)
  equal([client.id, client.sessionIds, client.sessions[0].id], [session.clientId, [session.id], session.id])
  const page = await clerk.clients.getClientList({ limit: 1 })
  equal([page.data.length, page.data[0].id], [1, session.clientId])
})
await check('users', async () => {
  const user = await clerk.users.createUser({ externalId: `n-${Date.now()}`, firstName: 'Ada' })
  equal((await clerk.users.getUser(user.id)).firstName, 'Ada')
  equal((await clerk.users.banUser(user.id)).banned, true)
  await refused(clerk.sessions.createSession({ userId: user.id }), 403, 'user_banned')
  equal((await clerk.users.unbanUser(user.id)).banned, false)
  const session = await clerk.sessions.createSession({ userId: user.id })
  equal((await clerk.users.deleteUser(user.id)).deleted, true)
  equal((await clerk.sessions.getSession(session.id)).status, 'revoked')
  await refused(clerk.users.getUser(user.id), 404, 'resource_not_found')
})
await check('errors', async () => {
  await refused(clerk.sessions.getSession('sess_none'), 404, 'resource_not_found')
  await refused(clerk.sessions.revokeSession('sess_none'), 404, 'resource_not_found')
  await refused(clerk.sessions.getToken('sess_none'), 404, 'resource_not_found')
  await refused(clerk.sessions.createSession({}), 422, 'form_param_missing')
  await refused(clerk.sessions.createSession({ userId: 'user_none' }), 404, 'resource_not_found')
  await refused(clerk.sessions.getSessionList({ limit: 501 }), 422, 'form_param_value_invalid')
  await refused(clerk.users.createUser({ password: 'x'.repeat(12) }), 422, 'form_param_value_invalid')
})
await check('no token for a session that has ended', async () => {
  const session = await newSession()
  await clerk.sessions.revokeSession(session.id)
  await refused(clerk.sessions.getToken(session.id), 404, 'resource_not_found')
})

report()
