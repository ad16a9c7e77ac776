// Writes `exports.json`: which names each subpath of the SDK carries. Run after a change to `plugin-sdk/`;
// with `--check` it only says whether the file is up to date.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const directory = path.join(root, 'plugin-sdk');
const listed = {};
for (const file of fs.readdirSync(directory).sort()) {
  if (!file.endsWith('.js')) continue;
  const module = await import(pathToFileURL(path.join(directory, file)));
  listed[file.slice(0, -3)] = Object.keys(module).sort();
}
const rows = Object.entries(listed).map(([subpath, names]) => `  ${JSON.stringify(subpath)}: ${JSON.stringify(names)}`);
const text = `{\n${rows.join(',\n')}\n}\n`;
const target = path.join(root, 'exports.json');
if (process.argv.includes('--check')) {
  const same = fs.readFileSync(target, 'utf8') === text;
  if (!same) console.error('exports.json is out of date; run `node tools/list-exports.mjs`');
  process.exitCode = same ? 0 : 1;
} else {
  fs.writeFileSync(target, text);
}
