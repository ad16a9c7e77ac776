// Writes `plugin-sdk/internal/data/channel-schemas.json`: which settings the channels of the reference have, as the part of JSON Schema
// that `internal/channel-schemas.js` reads. Equal parts stand once, in `parts`; `{"part": n}` refers to them. Texts are left out.
// Run: node tools/list-channel-schemas.mjs <reference package with its dependencies>
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [directory] = process.argv.slice(2);
if (!directory) {
  console.error('usage: node tools/list-channel-schemas.mjs <reference package with its dependencies>');
  process.exit(2);
}
const CHANNELS = ['Discord', 'GoogleChat', 'IMessage', 'MSTeams', 'Signal', 'Slack', 'Telegram', 'WhatsApp'];
/** What costs less to repeat than to refer to. */
const SHORTEST_PART = 60;

const module = await import(pathToFileURL(path.resolve(directory, 'dist/plugin-sdk/bundled-channel-config-schema.js')));
const plain = (value) => {
  if (Array.isArray(value)) return value.map(plain);
  if (!value || typeof value !== 'object') return value;
  const out = {};
  for (const [key, inner] of Object.entries(value)) {
    if (key === '$schema' || key === 'propertyNames' || (key === 'description' && typeof inner === 'string')) continue;
    if (key === 'maximum' && inner === Number.MAX_SAFE_INTEGER) continue;
    out[key] = key === 'properties' ? Object.fromEntries(Object.entries(inner).map(([name, schema]) => [name, plain(schema)])) : plain(inner);
  }
  return out;
};
const schemas = Object.fromEntries(CHANNELS.map((name) => [name, plain(module[`${name}ConfigSchema`].toJSONSchema({ target: 'draft-07', unrepresentable: 'any', io: 'input' }))]));

const uses = new Map();
const count = (value) => {
  if (!value || typeof value !== 'object') return;
  const key = JSON.stringify(value);
  if (!Array.isArray(value)) uses.set(key, (uses.get(key) ?? 0) + 1);
  if (uses.get(key) > 1) return;
  Object.values(value).forEach(count);
};
Object.values(schemas).forEach(count);
const parts = [];
const numbers = new Map();
const refer = (value, inside = false) => {
  if (!value || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => refer(item));
  const key = JSON.stringify(value);
  const shared = !inside && (value.type || value.anyOf || value.oneOf) && key.length >= SHORTEST_PART && uses.get(key) > 1;
  const known = shared ? numbers.get(key) : undefined;
  if (known !== undefined) return { part: known };
  const out = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, name === 'properties' ? refer(inner, true) : refer(inner)]));
  if (!shared) return out;
  numbers.set(key, parts.push(out) - 1);
  return { part: numbers.get(key) };
};
const channels = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, refer(schema)]));
const target = fileURLToPath(new URL('../plugin-sdk/internal/data/channel-schemas.json', import.meta.url));
fs.mkdirSync(path.dirname(target), { recursive: true });
const lines = (rows) => rows.map((row) => `    ${row}`).join(',\n');
fs.writeFileSync(target, `{\n  "parts": [\n${lines(parts.map((part) => JSON.stringify(part)))}\n  ],\n  "channels": {\n${lines(Object.entries(channels).map(([name, schema]) => `${JSON.stringify(name)}: ${JSON.stringify(schema)}`))}\n  }\n}\n`);
process.exit(0);
