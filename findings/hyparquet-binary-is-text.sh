#!/usr/bin/env bash
# Versions: hyparquet 1.33.0, pyarrow 25.0.1, Python 3.11, Node 20.
# Guess: a column of type BYTE_ARRAY without a logical type comes as bytes, as it is in the file.
# Behaviour: hyparquet decodes it as UTF-8 unless told utf8: false: bytes that are no text are lost, without an error.
# With utf8: false columns that are marked as text still come as text.
# Output seen:
#   hyparquet 1.33.0
#   by itself: string of 3 characters, the first is U+FFFD
#   utf8: false: Uint8Array of 3 bytes, ff d8 41
set -euo pipefail
command -v npm > /dev/null || { echo "needs Node and npm" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet pyarrow==25.0.1
"$work/env/bin/python" -c "
import pyarrow as pa, pyarrow.parquet as pq
pq.write_table(pa.table({'b': pa.array([b'\xff\xd8A'])}), '$work/a.parquet', compression='none')"
cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" hyparquet@1.33.0
cat > show.mjs <<'SHOW'
import { readFileSync } from 'node:fs'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'

const file = await asyncBufferFromFile('a.parquet')
const [{ b: text }] = await parquetReadObjects({ file })
const [{ b: bytes }] = await parquetReadObjects({ file, utf8: false })
console.log('hyparquet', JSON.parse(readFileSync('node_modules/hyparquet/package.json')).version)
const code = String(text).codePointAt(0).toString(16).toUpperCase()
console.log(`by itself: ${typeof text} of ${text.length} characters, the first is U+${code}`)
const hex = [...bytes].map((byte) => byte.toString(16)).join(' ')
console.log(`utf8: false: ${bytes.constructor.name} of ${bytes.length} bytes, ${hex}`)
process.exit(typeof text === 'string' && code === 'FFFD' && hex === 'ff d8 41' ? 0 : 1)
SHOW
node show.mjs
