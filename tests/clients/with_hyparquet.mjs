// hyparquet, in Node as in a browser; needs hyparquet and hyparquet-compressors beside it. See answer.py.
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { readdirSync, readFileSync } from 'node:fs'

const [work] = process.argv.slice(2)
const query = JSON.parse(readFileSync(`${work}/query.json`, 'utf8'))
const shards = `${work}/output/shards`
const version = JSON.parse(readFileSync(new URL('node_modules/hyparquet/package.json', import.meta.url), 'utf8')).version
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0)
const plain = (name, value) => (value instanceof Uint8Array ? value.length : typeof value === 'bigint' ? Number(value) : value)

const rows = []
let types = {}
for (const name of readdirSync(shards)) {
  const file = await asyncBufferFromFile(`${shards}/${name}`)
  const metadata = await parquetMetadataAsync(file)
  for (const { type, name } of metadata.schema) if (type) types[name] = type
  // As bytes: else it takes binary columns for UTF-8
  rows.push(...await parquetReadObjects({ file, compressors, utf8: false }))
}
const nearest = rows.map(({ key, embedding }) => ({ key, s: dot(embedding, query) / Math.sqrt(dot(embedding, embedding)) })).sort((a, b) => b.s - a.s).slice(0, 5).map(({ key }) => key)
console.log('ANSWER', JSON.stringify({ version, types: { embedding: types.element }, rows, nearest }, plain))
