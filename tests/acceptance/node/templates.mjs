// JWT templates and tokens made by them through the official Node SDK.
import { createHmac } from 'node:crypto'
import { verifyToken } from '@clerk/backend'
import { apiUrl, authenticate, check, clerk, equal, newSession, pem, refused, report, secretKey } from './harness.mjs'

let n = 0
const create = (members) => clerk.jwtTemplates.create({ name: `t-${Date.now()}-${n++}`, claims: {}, ...members })
const decoded = (jwt, part) => JSON.parse(Buffer.from(jwt.split('.')[part], 'base64url').toString())
const secret = 's'.repeat(40)

await check('a template from creation to deletion', async () => {
  const claims = { id: '{{user.id}}', nested: { list: [1, null, '{{user.first_name || "x"}}'] } }
  const made = await create({ claims, lifetime: 300, allowedClockSkew: 7 })
  equal([made.claims, made.lifetime, made.allowedClockSkew, made.customSigningKey, made.signingAlgorithm], [claims, 300, 7, false, 'RS256'])
  equal((await clerk.jwtTemplates.get(made.id)).name, made.name)
  const changed = await clerk.jwtTemplates.update({ templateId: made.id, name: made.name, claims: { a: 1 } })
  equal([changed.claims, changed.lifetime], [{ a: 1 }, 300])
  const page = await clerk.jwtTemplates.list({ limit: 1 })
  equal([page.data.map((t) => t.id), page.totalCount > 0], [[made.id], true])
  equal((await clerk.jwtTemplates.delete(made.id)).deleted, true)
  await refused(clerk.jwtTemplates.get(made.id), 404, 'resource_not_found')
})
await check('a token by a template', async () => {
  const session = await newSession()
  const made = await create({ claims: { id: '{{user.id}}', aud: 'app', none: '{{org.id}}' }, lifetime: 300 })
  const { jwt } = await clerk.sessions.getToken(session.id, made.name)
  const claims = decoded(jwt, 1)
  equal([claims.id, claims.sub, claims.aud, claims.none, claims.exp - claims.iat, claims.sid], [session.userId, session.userId, 'app', null, 300, undefined])
  equal(decoded(jwt, 0).cat, 'cl_B7d4PD222AAA')
  const short = decoded((await clerk.sessions.getToken(session.id, made.name, 90)).jwt, 1)
  equal(short.exp - short.iat, 90)
  equal((await verifyToken(jwt, { jwtKey: await pem() })).id, session.userId)
})
await check('T-21: a token by a template is no session token', async () => {
  const session = await newSession()
  const made = await create()
  const { jwt } = await clerk.sessions.getToken(session.id, made.name)
  const state = await authenticate({ authorization: `Bearer ${jwt}` })
  equal([state.status, state.reason], ['signed-out', 'token-type-mismatch'])
  const control = (await clerk.sessions.getToken(session.id)).jwt
  equal((await authenticate({ authorization: `Bearer ${control}` })).status, 'signed-in')
})
await check('a key of its own', async () => {
  const session = await newSession()
  const made = await create({ customSigningKey: true, signingAlgorithm: 'HS256', signingKey: secret })
  equal([made.customSigningKey, made.signingAlgorithm, 'signingKey' in made], [true, 'HS256', false])
  const { jwt } = await clerk.sessions.getToken(session.id, made.name)
  const [head, body, signature] = jwt.split('.')
  equal(createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url'), signature)
  let reason = 'accepted'
  await verifyToken(jwt, { secretKey, apiUrl }).catch((error) => { reason = error.reason })
  if (reason === 'accepted') throw new Error('the token was accepted')
})
await check('what is refused', async () => {
  const made = await create()
  await refused(create({ name: made.name }), 422, 'form_identifier_exists')
  await refused(create({ claims: { sub: 'x' } }), 400, 'jwt_template_reserved_claim')
  await refused(create({ lifetime: 1 }), 422, 'form_param_value_invalid')
  await refused(create({ customSigningKey: true }), 422, 'form_param_missing')
  await refused(clerk.jwtTemplates.update({ templateId: 'jtmp_none', name: 'x', claims: {} }), 404, 'resource_not_found')
  await refused(clerk.jwtTemplates.delete('jtmp_none'), 404, 'resource_not_found')
  const session = await newSession()
  await refused(clerk.sessions.getToken(session.id, 'none'), 404, 'resource_not_found')
  await refused(clerk.sessions.getToken('sess_none', made.name), 404, 'resource_not_found')
})

report()
