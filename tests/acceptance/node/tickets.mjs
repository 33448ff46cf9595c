// Actor tokens, sign-in tokens and testing tokens through the official Node SDK.
import { check, clerk, equal, newUser, refused, report } from './harness.mjs'

const actor = { sub: 'user_outside', note: 'kept' }

await check('actor tokens', async () => {
  const { id: userId } = await newUser()
  const made = await clerk.actorTokens.create({ userId, actor, expiresInSeconds: 600, sessionMaxDurationInSeconds: 60 })
  equal([made.status, made.userId, made.actor], ['pending', userId, actor])
  equal(made.url.endsWith(`/v1/tickets/accept?ticket=${made.token}`), true)
  equal([made.id.startsWith('act_'), made.token.split('.').length], [true, 3])
  equal([(await clerk.actorTokens.revoke(made.id)).status, (await clerk.actorTokens.create({ userId, actor })).status], ['revoked', 'pending'])
  await refused(clerk.actorTokens.revoke(made.id), 400, 'actor_token_cannot_be_revoked_code')
})
await check('actor tokens that are refused', async () => {
  const { id: userId } = await newUser()
  await refused(clerk.actorTokens.create({ userId, actor: {} }), 422, 'form_param_missing')
  await refused(clerk.actorTokens.create({ userId, actor, expiresInSeconds: -1 }), 422, 'form_param_value_invalid')
  await refused(clerk.actorTokens.create({ userId, actor: { sub: userId } }), 422, 'form_param_value_invalid')
  await refused(clerk.actorTokens.create({ userId: 'user_none', actor }), 404, 'resource_not_found')
  await refused(clerk.actorTokens.revoke('act_none'), 404, 'resource_not_found')
})
await check('sign-in tokens', async () => {
  const { id: userId } = await newUser()
  const made = await clerk.signInTokens.createSignInToken({ userId, expiresInSeconds: 60 })
  equal([made.status, made.userId, made.id.startsWith('sit_')], ['pending', userId, true])
  equal(made.url.endsWith(`/v1/tickets/accept?ticket=${made.token}`), true)
  equal((await clerk.signInTokens.revokeSignInToken(made.id)).status, 'revoked')
  await refused(clerk.signInTokens.revokeSignInToken(made.id), 400, 'sign_in_token_cannot_be_revoked_code')
})
await check('sign-in tokens that are refused', async () => {
  const { id: userId } = await newUser()
  await refused(clerk.signInTokens.createSignInToken({ userId: 'user_none' }), 404, 'resource_not_found')
  await refused(clerk.signInTokens.createSignInToken({ userId, expiresInSeconds: -1 }), 422, 'form_param_value_invalid')
  await clerk.users.banUser(userId)
  await refused(clerk.signInTokens.createSignInToken({ userId }), 403, 'user_banned')
  await refused(clerk.signInTokens.revokeSignInToken('sit_none'), 404, 'resource_not_found')
})
await check('testing tokens', async () => {
  const made = await clerk.testingTokens.createTestingToken()
  // The SDK has no class for it and hands the JSON on as it came.
  equal(made.expires_at, Number(made.token.split('-c_')[0]) + 3600)
})

report()
