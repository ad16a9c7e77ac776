// Writes `fixtures/sdk/exports-<version>.json`: the names that each subpath of a reference package carries, read from its
// built modules without running them. Run: node tools/list-reference.mjs <unpacked reference package>
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [directory] = process.argv.slice(2);
if (!directory) {
  console.error('usage: node tools/list-reference.mjs <unpacked reference package>');
  process.exit(2);
}

/** The names in the export statements of one built module; a star is followed into the module it names (of packages, only zod). */
function namesOf(file) {
  const text = fs.readFileSync(file, 'utf8');
  const names = new Set();
  for (const [, list] of text.matchAll(/^export \{([^}]*)\}/gm)) {
    for (const part of list.split(',')) if (part.trim()) names.add(part.trim().split(/\s+as\s+/).pop());
  }
  for (const [, name] of text.matchAll(/^export (?:async )?(?:function\*?|const|let|class) (\w+)/gm)) names.add(name);
  for (const [, from] of text.matchAll(/^export \* from "([^"]+)"/gm)) {
    const inner = from.startsWith('.') ? namesOf(path.join(path.dirname(file), from)) : packages[from];
    for (const name of inner) if (name !== 'default') names.add(name);
  }
  return names;
}

const ownZod = path.resolve(directory, 'node_modules/zod/index.js');
const packages = { zod: Object.keys(await import(fs.existsSync(ownZod) ? pathToFileURL(ownZod) : '../vendor/zod.js')) };
const { version, exports } = JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8'));
const listed = {};
for (const [key, target] of Object.entries(exports)) {
  const file = typeof target === 'string' ? target : target.default;
  if (file?.endsWith('.js') && key !== './cli-entry') listed[key.replace(/^\.\/plugin-sdk\//, '')] = [...namesOf(path.join(directory, file))].sort();
}
const rows = Object.keys(listed).sort().map((key) => `  ${JSON.stringify(key)}: ${JSON.stringify(listed[key])}`);
const target = fileURLToPath(new URL(`../../../fixtures/sdk/exports-${version}.json`, import.meta.url));
fs.mkdirSync(path.dirname(target), { recursive: true });
fs.writeFileSync(target, `{\n${rows.join(',\n')}\n}\n`);
console.log(`${rows.length} entries, ${Object.values(listed).reduce((sum, names) => sum + names.length, 0)} values`);
