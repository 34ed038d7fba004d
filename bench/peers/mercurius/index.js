// Holds tickets through one Redis script and pushes stock over graphql-transport-ws, with Mercurius on Fastify.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createVerifier } from 'fast-jwt'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import mercurius from 'mercurius'

const { PORT, REDIS_PORT, JWT_PUBLIC_KEY, HOLD_LUA, SCHEMA } = process.env
const HOLD_MS = 600_000
const TIERS = ['t1', 't2', 't3', 't4', 't5', 't6']

const redis = new Redis({ host: '127.0.0.1', port: Number(REDIS_PORT), enableAutoPipelining: true })
redis.defineCommand('hold', { numberOfKeys: 3, lua: readFileSync(HOLD_LUA, 'utf8') })

const verify = createVerifier({
  key: readFileSync(JWT_PUBLIC_KEY),
  algorithms: ['RS256'],
  allowedAud: 'onsale',
  cache: 10_000
})

function userOf (authorization) {
  if (!authorization?.startsWith('Bearer ')) throw new mercurius.ErrorWithProps('no bearer token', {}, 401)
  return verify(authorization.slice(7)).sub
}

let stock = stockAt(1_000_000)

function stockAt (version) {
  const tiers = TIERS.map(tierId => ({ tierId, available: 9_000_000 - version, held: version, sold: version }))
  return { stockChanged: { version, soldOut: false, tiers } }
}

const resolvers = {
  Query: { health: () => 'ok' },
  Mutation: {
    async holdTickets (_, { input }, { user }) {
      const { concertId, lines, idempotencyKey } = input
      const id = randomUUID()
      const expires = new Date(Date.now() + HOLD_MS).toISOString()
      const [held, first, expiresAt] = await redis.hold(
        `stock:{${concertId}}`, `idem:{${concertId}}:${idempotencyKey}`, `hold:{${concertId}}:${id}`,
        id, user, expires, HOLD_MS, ...lines.flatMap(({ tierId, quantity }) => [tierId, quantity]))
      return held
        ? { __typename: 'Hold', id: first, expiresAt }
        : { __typename: 'SoldOutError', message: 'Sold out', available: first }
    }
  },
  Subscription: {
    stockChanged: {
      async subscribe (_, { concertId }, { pubsub }) {
        const changes = await pubsub.subscribe(`stock:${concertId}`)
        changes.push(stock)
        return changes
      }
    }
  }
}

const app = Fastify()

await app.register(mercurius, {
  schema: readFileSync(SCHEMA, 'utf8'),
  resolvers,
  jit: 1,
  context: request => ({ user: userOf(request.headers.authorization) }),
  subscription: {
    onConnect: ({ payload }) => ({ user: userOf(payload?.Authorization) })
  }
})

app.post('/tick', async () => {
  stock = stockAt(stock.stockChanged.version + 1)
  await app.graphql.pubsub.publish({ topic: 'stock:c1', payload: stock })
  return String(stock.stockChanged.version)
})

await app.listen({ host: '127.0.0.1', port: Number(PORT) })
