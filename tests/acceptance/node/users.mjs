// Users through the official Node SDK: lists, numbers, changes, metadata and locks.
import { check, clerk, equal, newUser, refused, report } from './harness.mjs'

const unique = (() => { let n = 0; return () => `n${Date.now()}x${n++}` })()

await check('lists of users, with their number', async () => {
  const tag = unique()
  const made = []
  for (const lastName of ['Beta', 'Alpha', 'Gamma']) {
    made.push(await clerk.users.createUser({ username: unique(), firstName: tag, lastName, emailAddress: [`${unique()}@x.org`] }))
  }
  const [first, second, third] = made.map((u) => u.id)
  const found = async (params) => {
    const page = await clerk.users.getUserList(params)
    return [page.data.map((u) => u.id), page.totalCount]
  }
  equal(await found({ query: tag.toUpperCase() }), [[third, second, first], 3])
  equal(await found({ query: tag, orderBy: '+last_name', limit: 2 }), [[second, first], 3])
  equal(await found({ query: tag, orderBy: '-created_at', limit: 1, offset: 1 }), [[second], 3])
  equal(await found({ nameQuery: `${tag} al` }), [[second], 1])
  equal(await found({ emailAddress: [made[1].primaryEmailAddress.emailAddress], userId: [`+${second}`] }), [[second], 1])
  equal(await found({ query: tag, userId: [`-${second}`], banned: false }), [[third, first], 2])
  const { id: organizationId } = await clerk.organizations.createOrganization({ name: 'A', createdBy: first })
  equal(await found({ organizationId: [organizationId] }), [[first], 1])
  equal(await clerk.users.getCount({ query: tag }), 3)
  await refused(clerk.users.getUserList({ provider: 'oauth_google', providerUserId: ['1'] }), 422, 'form_param_value_invalid')
})
await check('a change of a user', async () => {
  const username = unique()
  const { id } = await clerk.users.createUser({ firstName: 'Ada', externalId: unique() })
  const changed = await clerk.users.updateUser(id, { username, lastName: 'Lovelace' })
  equal([changed.username, changed.firstName, changed.lastName], [username, 'Ada', 'Lovelace'])
  const other = await newUser()
  await refused(clerk.users.updateUser(other.id, { username }), 422, 'form_identifier_exists')
  await refused(clerk.users.updateUser('user_none', { firstName: 'Eve' }), 404, 'resource_not_found')
})
await check('metadata is merged and replaced', async () => {
  const { id } = await clerk.users.createUser({ publicMetadata: { a: { b: 1, c: 2 } }, unsafeMetadata: { u: 1 } })
  const merged = await clerk.users.updateUserMetadata(id, { publicMetadata: { a: { b: null, d: 3 } }, privateMetadata: { e: 4 } })
  equal([merged.publicMetadata, merged.privateMetadata, merged.unsafeMetadata], [{ a: { c: 2, d: 3 } }, { e: 4 }, { u: 1 }])
  const replaced = await clerk.users.replaceUserMetadata(id, { publicMetadata: { f: 5 } })
  equal([replaced.publicMetadata, replaced.privateMetadata], [{ f: 5 }, { e: 4 }])
})
await check('a locked user', async () => {
  const { id } = await newUser()
  equal((await clerk.users.lockUser(id)).locked, true)
  await refused(clerk.sessions.createSession({ userId: id }), 403, 'user_locked')
  equal((await clerk.users.unlockUser(id)).locked, false)
  equal((await clerk.sessions.createSession({ userId: id })).status, 'active')
})
report()
