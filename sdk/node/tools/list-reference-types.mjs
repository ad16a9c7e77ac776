// Writes `fixtures/sdk/types-<version>.json`: the names that each subpath of a reference package exports as types only, read from its
// declaration files. Run: node tools/list-reference-types.mjs <unpacked reference package>
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const [directory] = process.argv.slice(2);
if (!directory) {
  console.error('usage: node tools/list-reference-types.mjs <unpacked reference package>');
  process.exit(2);
}
const fixtures = fileURLToPath(new URL('../../../fixtures/sdk/', import.meta.url));
const { version, exports } = JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8'));
const values = JSON.parse(fs.readFileSync(path.join(fixtures, `exports-${version}.json`), 'utf8'));

/** The names in the export statements of one declaration file; a star is followed. */
function namesOf(file, seen = new Set()) {
  if (seen.has(file) || !fs.existsSync(file)) return new Set();
  seen.add(file);
  const text = fs.readFileSync(file, 'utf8');
  const names = new Set();
  for (const [, list] of text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)) {
    for (const part of list.split(',')) if (part.trim()) names.add(part.trim().replace(/^type /, '').split(/\s+as\s+/).pop());
  }
  for (const [, name] of text.matchAll(/^export (?:declare )?(?:type|interface|class|function|const|enum) ([A-Za-z_$][\w$]*)/gm)) names.add(name);
  for (const [, from] of text.matchAll(/^export \* from "(\.[^"]+)"/gm)) {
    for (const name of namesOf(path.join(path.dirname(file), from.replace(/\.js$/, '.d.ts')), seen)) names.add(name);
  }
  return names;
}

const listed = {};
for (const [key, target] of Object.entries(exports)) {
  if (typeof target !== 'object' || !target.types) continue;
  const subpath = key.replace(/^\.\/plugin-sdk\//, '');
  const known = new Set(values[subpath] ?? []);
  const names = [...namesOf(path.join(directory, target.types))].filter((name) => !known.has(name) && name !== 'default').sort();
  if (names.length > 0) listed[subpath] = names;
}
const rows = Object.keys(listed).sort().map((key) => `  ${JSON.stringify(key)}: ${JSON.stringify(listed[key])}`);
fs.writeFileSync(path.join(fixtures, `types-${version}.json`), `{\n${rows.join(',\n')}\n}\n`);
console.log(`${rows.length} entries, ${Object.values(listed).reduce((sum, names) => sum + names.length, 0)} types`);
